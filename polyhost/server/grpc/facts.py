"""gRPC's methods about the server and its models: each asks a route of V2 over HTTP.

What a method asks for is a :class:`Question`; what it answers is made of the route's JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from polyhost.codecs.v2.rpc import metadata
from polyhost.errors import InvalidInput
from polyhost.formats import protobuf as pb

SERVICE = "inference.GRPCInferenceService"
HEALTH = "grpc.health.v1.Health"
_SERVING, _NOT_SERVING = 1, 2


@dataclass(frozen=True)
class Question:
    """A request of a route. ``answers``: statuses whose body is an answer, not an error."""

    method: str
    path: str
    body: Optional[Mapping[str, Any]] = None
    answers: Tuple[int, ...] = (200,)


@dataclass(frozen=True)
class Method:
    """``ask`` reads the message of a request, ``tell`` writes that of the answer."""

    ask: Callable[[bytes], Question]
    tell: Callable[[int, Any], bytes]


def part(text: str, what: str) -> str:
    """A name as a part of a path; InvalidInput where it cannot be one."""
    if not text or any(mark in text for mark in "/?#%") or not text.isprintable():
        raise InvalidInput(f"{what} {text!r:.60} is none that a model can have.")
    return text


def place_of(name: str, version: str) -> str:
    """The path of a model, or of one of its versions."""
    place = f"/v2/models/{part(name, 'the model name')}"
    return f"{place}/versions/{part(version, 'the version')}" if version else place


def _texts(message: bytes) -> Dict[int, str]:
    """The fields of a message that are texts, by their number."""
    found = {}
    for number, _, value in pb.fields(memoryview(message)):
        if not isinstance(value, int):
            found[number] = pb.text(value, f"field {number}")
    return found


def _of_model(suffix: str, *answers: int) -> Callable[[bytes], Question]:
    def ask(message: bytes) -> Question:
        texts = _texts(message)
        place = place_of(texts.get(1, ""), texts.get(2, ""))
        return Question("GET", place + suffix, answers=answers)

    return ask


def _of_server(path: str, *answers: int) -> Callable[[bytes], Question]:
    return lambda message: Question("GET", path, answers=answers)


def _flag(key: str) -> Callable[[int, Any], bytes]:
    return lambda status, found: pb.number(1, bool(found.get(key)))


def _server(status: int, found: Any) -> bytes:
    extensions = [pb.field(3, name) for name in found["extensions"]]
    return b"".join([pb.field(1, found["name"]), pb.field(2, found["version"]), *extensions])


def _index_question(message: bytes) -> Question:
    ready = any(n == 2 and value for n, _, value in pb.fields(memoryview(message)))
    return Question("POST", "/v2/repository/index", {"ready": ready})


def _index(status: int, found: Any) -> bytes:
    keys = enumerate(("name", "version", "state", "reason"), 1)
    order = list(keys)
    models = [b"".join([pb.known(n, model[key]) for n, key in order]) for model in found]
    return b"".join([pb.field(1, model) for model in models])


def _change(word: str) -> Callable[[bytes], Question]:
    def ask(message: bytes) -> Question:
        name, parameters = "", {}
        for number, _, value in pb.fields(memoryview(message)):
            if isinstance(value, int):
                continue
            if number == 2:
                name = pb.text(value, "model_name")
            elif number == 3:
                parameters[_texts(bytes(value)).get(1, "")] = True
        path = f"/v2/repository/models/{part(name, 'the model name')}/{word}"
        return Question("POST", path, {"parameters": parameters})

    return ask


def _health_question(message: bytes) -> Question:
    service = _texts_or_nothing(message)
    if service in ("", SERVICE):
        return Question("GET", "/v2/health/ready", answers=(200, 503))
    return Question("GET", f"{place_of(service, '')}/ready", answers=(200, 503))


def _texts_or_nothing(message: bytes) -> str:
    return _texts(message).get(1, "")


def _health(status: int, found: Any) -> bytes:
    return pb.number(1, _SERVING if status == 200 else _NOT_SERVING)


METHODS: Mapping[str, Method] = {
    f"/{SERVICE}/ServerLive": Method(_of_server("/v2/health/live", 200), _flag("live")),
    f"/{SERVICE}/ServerReady": Method(_of_server("/v2/health/ready", 200, 503), _flag("ready")),
    f"/{SERVICE}/ModelReady": Method(_of_model("/ready", 200, 503), _flag("ready")),
    f"/{SERVICE}/ServerMetadata": Method(_of_server("/v2", 200), _server),
    f"/{SERVICE}/ModelMetadata": Method(_of_model("", 200), lambda status, found: metadata(found)),
    f"/{SERVICE}/RepositoryIndex": Method(_index_question, _index),
    f"/{SERVICE}/RepositoryModelLoad": Method(_change("load"), lambda status, found: b""),
    f"/{SERVICE}/RepositoryModelUnload": Method(_change("unload"), lambda status, found: b""),
    f"/{HEALTH}/Check": Method(_health_question, _health),
}


def text_of(body: bytes) -> str:
    """What the body of an error says."""
    try:
        found = json.loads(body)
    except ValueError:
        return body[:500].decode("utf-8", "replace")
    said = found.get("error") or found.get("message") if isinstance(found, dict) else None
    return str(said).removeprefix("ERROR: ") if said else "the request was refused"
