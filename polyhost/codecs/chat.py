"""Chat completions as OpenAI's clients speak them: one JSON answer, or server-sent events.

What the ``chat`` hook returned decides which; the request's ``stream`` is the hook's to read.
"""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Union

from polyhost.code_dir.runtime_parameters import RuntimeParameters
from polyhost.codecs import Answer, Request, split_content_type
from polyhost.data.payload import Buffer
from polyhost.errors import (
    InvalidInput,
    PolyhostError,
    SettingsError,
    UnsupportedContentType,
    WrongEndpoint,
)
from polyhost.formats import json as formats_json
from polyhost.pipeline import batching
from polyhost.predictor import OPENAI_HOOKS, Predictor

logger = logging.getLogger(__name__)

TALKS = frozenset(("chat", *OPENAI_HOOKS))
"""Hooks that make a model one that can be talked to."""
ASSOCIATION = "datarobot_association_id"
EVENTS = "text/event-stream; charset=utf-8"
DONE = b"data: [DONE]\n\n"
_CREATED = 1735689600  # DRUM's constant: nobody knows when a model was made


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Answer one conversation (``chat``), or list the models that there are (``models``)."""
    if request.op == "models":
        listed = _models(predictor, request.options.get("names", ()))
        if "id" in request.options:
            return Answer(dump(_one_of(listed, request.options["id"])))
        return Answer(dump({"object": "list", "data": listed, "models": request.options["models"]}))
    if request.op != "chat":
        raise SettingsError(f"unknown operation {request.op!r}: expected chat or models.")
    if "chat" not in predictor.info.hooks:
        predictor.chat({}, {})  # says why there is none, whatever was sent
    params = params_of(request, body)
    id = params.get(ASSOCIATION) or str(uuid.uuid4())
    reply = predictor.chat(params, request.headers or {}, association_id=id)
    if reply.chunks is None:
        return Answer(dump({**(reply.completion or {}), ASSOCIATION: id}))
    return Answer(_events(reply.chunks, id), EVENTS, headers={"Cache-Control": "no-cache"})


def answer_many(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer]
) -> List[Union[Answer, Exception]]:
    """Answer each by itself."""
    return [batching.attempt(lambda b: answer(predictor, request, b), b) for b in bodies]


def error_object(
    message: str, kind: str = "server_error", code: Optional[str] = None
) -> Dict[str, Any]:
    """An error as OpenAI's clients read it."""
    return {"message": message, "type": kind, "param": None, "code": code}


def unknown_model(name: str, known: Iterable[str]) -> WrongEndpoint:
    """The error of a request for a model that is not there."""
    return WrongEndpoint(
        f"there is no model {name!r}: expected one of {', '.join(known) or 'none'}.",
        code="model_not_found",
    )


def error_event(message: str) -> bytes:
    """The event that ends a stream which an error broke off; no ``[DONE]`` follows it."""
    return event({"error": error_object(message)})


def params_of(request: Request, body: Buffer, needed: str = "messages") -> Dict[str, Any]:
    """The JSON object of a request; InvalidInput where it lacks what it is about."""
    mimetype, _ = split_content_type(request.content_type)
    kind = mimetype.lower()
    if kind != "application/json" and not (kind.startswith("application/") and "+json" in kind):
        raise UnsupportedContentType(
            f"the content type of a chat request is {mimetype!r}: expected application/json."
        )
    params = formats_json.loads(body)
    if not isinstance(params, dict):
        raise InvalidInput(
            f"the body is no JSON object: expected one with {needed!r}; found a "
            f"{type(params).__name__}."
        )
    if request.options.get("messages_required") and needed == "messages":
        messages = params.get("messages")
        if not (isinstance(messages, list) and messages):
            raise InvalidInput("'messages' is missing or empty: expected a list of messages.")
    elif needed != "messages" and not params.get(needed):
        raise InvalidInput(f"{needed!r} is missing or empty: expected text, or a list of texts.")
    return params


def _events(chunks: Iterator[Mapping[str, Any]], id: str) -> Iterator[bytes]:
    try:
        for chunk in chunks:
            yield event({**chunk, ASSOCIATION: id})
    except Exception as error:
        message = error.message if isinstance(error, PolyhostError) else repr(error)
        logger.warning("a chat stream broke off: %s", message)
        yield error_event(message)
    else:
        yield DONE
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def event(value: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + text_of(value).encode("ascii") + b"\n\n"


def _models(predictor: Predictor, names: Sequence[str]) -> List[Mapping[str, Any]]:
    """What the hook names; else the runtime parameter LLM_ID; else the names that the host has."""
    found = predictor.llm_models()
    if found is not None:
        return found
    if RuntimeParameters.has("LLM_ID") and RuntimeParameters.get("LLM_ID"):
        return [_model(str(RuntimeParameters.get("LLM_ID")), "DataRobot")]
    return [_model(name, "polyhost") for name in names]


def _one_of(listed: Iterable[Mapping[str, Any]], id: str) -> Mapping[str, Any]:
    """One model of a list, for OpenAI's clients and for KServe's."""
    found = next((each for each in listed if each.get("id") == id), None)
    if found is None:
        raise unknown_model(id, [str(each.get("id")) for each in listed])
    return {**found, "name": id, "ready": True}


def _model(name: str, owner: str) -> Dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": owner}


def dump(value: Mapping[str, Any]) -> bytes:
    """A whole answer."""
    return text_of(value, sort_keys=True).encode("ascii") + b"\n"


def text_of(value: Mapping[str, Any], sort_keys: bool = False) -> str:
    """One line of ASCII JSON; numbers that JSON cannot hold become null."""
    options: Dict[str, Any] = {"separators": (",", ":"), "sort_keys": sort_keys}
    try:
        return json.dumps(value, default=formats_json.plain, allow_nan=False, **options)
    except ValueError:
        return json.dumps(json.loads(formats_json.dumps(value)), **options)
