"""OpenAI's routes beside chat: ``completions``, ``embeddings`` and ``responses``.

Each is answered by the hook of its name. Without it, completions and responses are asked of the
``chat`` hook, or predicted by a text generation model, and what comes of it is put into their shapes.
"""

from __future__ import annotations

import logging
import time
import uuid
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Union

from polyhost.codecs import Answer, Request, openai_responses
from polyhost.codecs.chat import DONE, EVENTS, dump, error_event, event, params_of
from polyhost.codecs.labels import values_of
from polyhost.data.payload import Buffer, Table
from polyhost.data.target import TargetType
from polyhost.errors import InvalidInput, InvalidOutput, PolyhostError, SettingsError, WrongEndpoint
from polyhost.formats.rows import objects
from polyhost.pipeline import batching
from polyhost.pipeline.chat_reports import PROMPT_COLUMN, prompt_of
from polyhost.predictor import TEXT, VECTORS, ChatReply, Predictor

logger = logging.getLogger(__name__)

Params = Mapping[str, Any]
Chunks = Iterator[Mapping[str, Any]]
_NEEDED = {"completions": "prompt", "embeddings": "input", "responses": "input"}
_OF_COMPLETIONS = ("prompt", "best_of", "echo", "suffix", "logprobs")
"""Keys that a conversation does not have, or not with that meaning."""


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Answer one request: ``op`` is the route's name."""
    try:
        handle = _OPS[request.op]
    except KeyError:
        raise SettingsError(
            f"unknown operation {request.op!r}: expected one of {', '.join(_OPS)}."
        ) from None
    if request.op not in predictor.info.hooks and not _has_stand_in(predictor, request.op):
        raise _missing(request.op)
    params = params_of(request, body, _NEEDED[request.op])
    return handle(predictor, params, dict(request.headers or {}))


def answer_many(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer]
) -> List[Union[Answer, Exception]]:
    """Answer each by itself."""
    return [batching.attempt(lambda b: answer(predictor, request, b), b) for b in bodies]


def _has_stand_in(predictor: Predictor, hook: str) -> bool:
    """Whether something else answers: ``chat``, or the predictions of a text generation model."""
    return hook != "embeddings" and ("chat" in predictor.info.hooks or _generates(predictor))


def _generates(predictor: Predictor) -> bool:
    """Whether prompts can be predicted as rows: so do text generation models of any language."""
    info = predictor.info
    return "chat" not in info.hooks and info.target.type is TargetType.TEXT_GENERATION


def _generated(predictor: Predictor, prompts: List[str]) -> List[str]:
    """The text of each prompt, predicted as a row of one column."""
    known = [column.name for column in predictor.info.guest.columns]
    name = known[0] if len(known) == 1 and known[0] else PROMPT_COLUMN
    scores = predictor.predict(Table([name], [objects(prompts)]))
    return [str(value) for value in values_of(scores, predictor.info.target)]


def _missing(hook: str) -> WrongEndpoint:
    others = "" if hook == "embeddings" else ", or chat, which stands in for it"
    return WrongEndpoint(
        f"this model has no {hook} hook: expected one{others}. Define {hook} in the custom file.",
        hook=hook,
    )


def _streamed(chunks: Iterator[bytes]) -> Answer:
    return Answer(chunks, EVENTS, headers={"Cache-Control": "no-cache"})


def _sent(
    chunks: Chunks, write: Callable[[Mapping[str, Any]], bytes], end: bytes
) -> Iterator[bytes]:
    """Chunks as events; an error in them is an event too, and no end follows it."""
    try:
        for chunk in chunks:
            yield write(chunk)
    except Exception as error:
        message = error.message if isinstance(error, PolyhostError) else repr(error)
        logger.warning("a stream broke off: %s", message)
        yield error_event(message)
    else:
        if end:
            yield end
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


# Completions


def _completions(predictor: Predictor, params: Params, headers: Dict[str, str]) -> Answer:
    reply = predictor.openai("completions", params, headers)
    shape = _Completion(params)
    if reply is None:
        return _completions_by_chat(predictor, params, headers, shape)
    if reply.chunks is None:
        found = reply.completion or {}
        return Answer(dump(shape.whole([_choice(found[TEXT])]) if _is_short(found) else found))
    chunks = (shape.chunk(_choice(c[TEXT], None)) if _is_short(c) else c for c in reply.chunks)
    return _streamed(_sent(_closing(chunks, reply.chunks), event, DONE))


class _Completion:
    """Objects in OpenAI's shape for one request."""

    def __init__(self, params: Params) -> None:
        self._base = {
            "id": f"cmpl-{uuid.uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": str(params.get("model") or ""),
        }

    def whole(self, choices: List[Dict[str, Any]], usage: Any = None) -> Dict[str, Any]:
        found = {**self._base, "choices": choices}
        return {**found, "usage": usage} if usage else found

    def chunk(self, *choices: Dict[str, Any]) -> Dict[str, Any]:
        return {**self._base, "choices": list(choices)}


def _choice(text: Any, finish: Any = "stop", index: int = 0) -> Dict[str, Any]:
    return {"index": index, "text": text or "", "logprobs": None, "finish_reason": finish}


def _is_short(found: Mapping[str, Any]) -> bool:
    return TEXT in found and len(found) == 1


def _closing(chunks: Chunks, source: Any) -> Chunks:
    """The chunks; the hook's own stream is closed with them."""
    try:
        yield from chunks
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()


def _completions_by_chat(
    predictor: Predictor, params: Params, headers: Dict[str, str], shape: _Completion
) -> Answer:
    prompt = params["prompt"]
    prompts = [prompt] if isinstance(prompt, str) else prompt
    if not isinstance(prompts, list) or not all(isinstance(each, str) for each in prompts):
        raise InvalidInput("'prompt' must be a text, or a list of texts: tokens are not read here.")
    if _generates(predictor):
        texts = _generated(predictor, prompts)
        if params.get("stream"):
            made = iter([shape.chunk(_choice(text, "stop", i)) for i, text in enumerate(texts)])
            return _streamed(_sent(made, event, DONE))
        return Answer(dump(shape.whole([_choice(text, "stop", i) for i, text in enumerate(texts)])))
    rest = {name: value for name, value in params.items() if name not in _OF_COMPLETIONS}
    replies = (
        predictor.chat({**rest, "messages": [{"role": "user", "content": text}]}, headers)
        for text in prompts
    )
    first = next(replies)
    if first.chunks is not None:
        if len(prompts) > 1:
            first.chunks.close()  # type: ignore[attr-defined]
            raise InvalidInput("'prompt' holds several texts, which cannot be streamed: send one.")
        return _streamed(_sent(_texts(first.chunks, shape), event, DONE))
    choices: List[Dict[str, Any]] = []
    usage: Dict[str, int] = {}
    for reply in (first, *replies):
        found = reply.completion or {}
        for choice in found.get("choices") or ():
            text = (choice.get("message") or {}).get("content")
            choices.append(_choice(text, choice.get("finish_reason"), len(choices)))
        for name, value in (found.get("usage") or {}).items():
            if isinstance(value, int):
                usage[name] = usage.get(name, 0) + value
    return Answer(dump(shape.whole(choices, usage)))


def _texts(chunks: Any, shape: _Completion) -> Chunks:
    """A conversation's chunks as those of a completion."""
    try:
        for chunk in chunks:
            choices = [
                _choice(
                    (choice.get("delta") or {}).get("content"),
                    choice.get("finish_reason"),
                    choice.get("index", 0),
                )
                for choice in chunk.get("choices") or ()
            ]
            usage = chunk.get("usage")
            if choices or usage:
                made = shape.chunk(*choices)
                yield {**made, "usage": usage} if usage else made
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


# Embeddings


def _embeddings(predictor: Predictor, params: Params, headers: Dict[str, str]) -> Answer:
    reply = _given(predictor.openai("embeddings", params, headers), "embeddings")
    found = reply.completion or {}
    if VECTORS not in found:
        return Answer(dump(found))
    vectors = found[VECTORS]
    texts = params["input"]
    wanted = len(texts) if _is_several(texts) else 1
    if len(vectors) != wanted:
        raise InvalidOutput(
            f"embeddings returned {len(vectors)} vector(s) for {wanted} input(s): expected one each.",
            hook="embeddings",
            expected=wanted,
            found=len(vectors),
        )
    data = [
        {"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": 0, "total_tokens": 0}
    model = str(params.get("model") or "")
    return Answer(dump({"object": "list", "data": data, "model": model, "usage": usage}))


def _is_several(texts: Any) -> bool:
    """Whether an input is a list of texts, or of lists of tokens, rather than one of them."""
    return isinstance(texts, list) and not all(isinstance(item, int) for item in texts)


def _given(reply: Any, hook: str) -> ChatReply:
    if reply is None:
        raise _missing(hook)
    found: ChatReply = reply
    return found


# Responses


def _responses(predictor: Predictor, params: Params, headers: Dict[str, str]) -> Answer:
    reply = predictor.openai("responses", params, headers)
    shape = openai_responses.Shape(params)
    if reply is None:
        asked = openai_responses.as_chat(params)
        if _generates(predictor):
            (text,) = _generated(predictor, [prompt_of(asked)])
            if not params.get("stream"):
                return Answer(dump(shape.of_text(text)))
            reply = ChatReply(chunks=iter([{"choices": [{"delta": {"content": text}}]}]))
        else:
            reply = predictor.chat(asked, headers)
        if reply.chunks is None:
            return Answer(dump(shape.of_completion(reply.completion or {})))
        chunks = shape.events_of_chat(reply.chunks)
        return _streamed(_sent(chunks, openai_responses.event, b""))
    if reply.chunks is None:
        found = reply.completion or {}
        return Answer(dump(shape.of_text(found[TEXT]) if _is_short(found) else found))
    chunks = shape.events_of_hook(reply.chunks)
    return _streamed(_sent(_closing(chunks, reply.chunks), openai_responses.event, b""))


_OPS: Mapping[str, Callable[[Predictor, Params, Dict[str, str]], Answer]] = {
    "completions": _completions,
    "embeddings": _embeddings,
    "responses": _responses,
}
