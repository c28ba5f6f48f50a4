"""What chat hooks return: objects of the OpenAI library, or plain dictionaries like them."""

from __future__ import annotations

from typing import Any, Callable, Iterator, List, Mapping

from polyhost.errors import InvalidOutput
from polyhost.predictor import TEXT, VECTORS, ChatReply

COMPLETION = "chat.completion"
CHUNK = "chat.completion.chunk"
_END = object()

Call = Callable[..., Any]
"""Calls guest code: a function, then its arguments; what it raises comes out as our error."""


def reply(found: Any, call: Call) -> ChatReply:
    """The reply in what ``chat`` returned; the first chunk of a stream is made and checked."""
    if _kind(found) == COMPLETION:
        return ChatReply(completion=_plain(found, call))
    try:
        chunks = iter(found)
    except TypeError:
        raise _wrong(found) from None
    first = call(next, chunks, _END)
    if first is _END:
        return ChatReply(chunks=iter(()))
    if _kind(first) != CHUNK and type(first).__name__ != "ChatCompletionChunk":
        raise _wrong(first)
    return ChatReply(chunks=_stream(found, first, chunks, call))


_OBJECTS = {"completions": "text_completion", "embeddings": "list", "responses": "response"}


def openai_reply(hook: str, found: Any, call: Call) -> ChatReply:
    """The reply in what another of OpenAI's hooks returned: its object, text, vectors, or what
    streams."""
    if isinstance(found, str) and hook != "embeddings":
        return ChatReply(completion={TEXT: found})
    if _kind(found) == _OBJECTS[hook]:
        return ChatReply(completion=_plain(found, call))
    if hook == "embeddings":
        return ChatReply(completion={VECTORS: call(_vectors, found)})
    try:
        chunks = iter(found)
    except TypeError:
        raise _wrong_object(hook, found) from None
    first = call(next, chunks, _END)
    if first is _END:
        return ChatReply(chunks=iter(()))
    if not _is_chunk(hook, first):
        raise _wrong_object(hook, first)
    return ChatReply(chunks=_stream(found, first, chunks, call))


def _is_chunk(hook: str, chunk: Any) -> bool:
    if isinstance(chunk, str):
        return True
    if hook == "completions":
        return bool(_kind(chunk) == _OBJECTS[hook])
    kind = chunk.get("type") if isinstance(chunk, Mapping) else getattr(chunk, "type", None)
    return isinstance(kind, str) and kind.startswith("response.")


def _vectors(found: Any) -> List[List[float]]:
    try:
        vectors = [[float(value) for value in vector] for vector in found]
    except (TypeError, ValueError):
        raise _wrong_object("embeddings", found) from None
    return vectors


def _wrong_object(hook: str, found: Any) -> InvalidOutput:
    short = {
        "completions": "a text, or an iterable of texts or such objects",
        "embeddings": "a list with a list of numbers for each input",
        "responses": "a text, or an iterable of texts or of OpenAI's events",
    }
    return InvalidOutput(
        f"{hook} must return an object whose 'object' is {_OBJECTS[hook]!r}, or {short[hook]}; "
        f"found {type(found).__name__}.",
        language="python",
        hook=hook,
        found=type(found).__name__,
    )


def models(found: Any) -> List[Mapping[str, Any]]:
    """The models in what ``get_supported_llm_models`` returned; what is not a model is dropped."""
    try:
        items = list(found or ())
    except TypeError:
        raise InvalidOutput(
            "get_supported_llm_models must return an iterable of models, but received "
            f"{type(found)}.",
            language="python",
            hook="get_supported_llm_models",
            found=type(found).__name__,
        ) from None
    return [_as_mapping(item) for item in items if _kind(item) == "model"]


def _stream(
    source: Any, first: Any, chunks: Iterator[Any], call: Call
) -> Iterator[Mapping[str, Any]]:
    """The chunks; when the client is gone, or all chunks are sent, the hook's stream is closed."""
    try:
        chunk = first
        while chunk is not _END:
            yield _plain(chunk, call)
            chunk = call(next, chunks, _END)
    finally:
        for held in (chunks, source):
            close = getattr(held, "close", None)
            if callable(close):
                call(close)
                break


def _kind(found: Any) -> Any:
    if isinstance(found, Mapping):
        return found.get("object")
    return getattr(found, "object", None)


def _plain(found: Any, call: Call) -> Mapping[str, Any]:
    plain: Mapping[str, Any] = call(_as_mapping, found)
    return plain


def _as_mapping(found: Any) -> Mapping[str, Any]:
    if isinstance(found, Mapping):
        return found
    if isinstance(found, str):
        return {TEXT: found}
    for name in ("to_dict", "model_dump"):
        method = getattr(found, name, None)
        if callable(method):
            chunk: Mapping[str, Any] = method()
            return chunk
    return dict(vars(found))


def _wrong(found: Any) -> InvalidOutput:
    return InvalidOutput(
        f"chat must return an object whose 'object' is {COMPLETION!r}, or an iterable of objects "
        f"whose 'object' is {CHUNK!r}; found {type(found).__name__}. Return what the OpenAI "
        "client returns, or dictionaries of that shape.",
        language="python",
        hook="chat",
        found=type(found).__name__,
    )
