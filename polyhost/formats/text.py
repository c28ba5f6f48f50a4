"""Unstructured bodies: what is text and what is bytes, on the way in and on the way out."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterator, Optional, Tuple, Union

from polyhost.data.payload import Payload
from polyhost.errors import InvalidInput, InvalidOutput
from polyhost.predictor import Chunk, Reply

TEXT = "text/plain"
BINARY = "application/octet-stream"
UTF8 = "utf-8"


def unstructured_input(payload: Payload) -> Tuple[Union[str, bytes], Payload]:
    """The data that ``score_unstructured`` gets, and the payload with its type as hooks see it.

    No type is text; ``text/*`` and ``application/json`` are text; anything else is bytes.
    """
    mimetype, charset = payload.mimetype, payload.charset
    if not mimetype:
        mimetype, charset = TEXT, charset or UTF8
    if not (mimetype.startswith("text/") or mimetype == "application/json"):
        return payload.bytes(), payload
    charset = charset or UTF8
    return _decode(payload, charset), replace(payload, mimetype=mimetype, charset=charset)


def _decode(payload: Payload, charset: str) -> str:
    try:
        return str(payload.body, charset)
    except LookupError as error:
        raise InvalidInput(
            f"unknown charset {charset!r} in the content type ({error}): expected one that Python "
            "knows, such as utf-8."
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"the body is not {charset} text: {error}. Send it in that charset, name the right "
            "one in the content type, or send it as application/octet-stream."
        ) from None


def unstructured_output(reply: Reply) -> Tuple[Union[bytes, Iterator[bytes]], str]:
    """The body and content type of what ``score_unstructured`` answered."""
    body = reply.body
    if isinstance(body, bytes):
        return body, _content_type(reply.mimetype or BINARY, reply.charset)
    charset = reply.charset or UTF8
    content_type = _content_type(reply.mimetype or TEXT, charset)
    if body is None:
        return b"", content_type
    if isinstance(body, str):
        return _encode(body, charset), content_type
    return (_encode(chunk, charset) for chunk in body), content_type


def _encode(chunk: Chunk, charset: str) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    try:
        return chunk.encode(charset)
    except (LookupError, UnicodeEncodeError) as error:
        raise InvalidOutput(
            f"score_unstructured answered text that cannot be sent as {charset!r}: {error}.",
            charset=charset,
        ) from None


def _content_type(mimetype: str, charset: Optional[str]) -> str:
    return f"{mimetype}; charset={charset}" if charset else mimetype
