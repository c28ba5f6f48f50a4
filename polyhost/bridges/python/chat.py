"""What chat hooks return: objects of the OpenAI library, or plain dictionaries like them."""

from __future__ import annotations

from typing import Any, Callable, Iterator, List, Mapping

from polyhost.errors import InvalidOutput
from polyhost.predictor import ChatReply

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


def models(found: Any) -> List[Mapping[str, Any]]:
    """The models in what ``get_supported_llm_models`` returned; what is no model is dropped."""
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
