"""Unstructured requests to Java and its answers back."""

from __future__ import annotations

from typing import Any, List, Optional, Tuple, Union

from polyhost.bridges.java.jvm import java_bytes, java_class, java_texts
from polyhost.data.payload import Payload
from polyhost.predictor import Reply


def request_of(data: Union[str, bytes], payload: Payload) -> Any:
    """An ``io.polyhost.Request``."""
    is_text = isinstance(data, str)
    return java_class("io.polyhost.Request")(
        data if is_text else None,
        None if is_text else java_bytes(data),
        payload.mimetype or None,
        payload.charset,
        _pairs(payload.query),
        _pairs(tuple((payload.headers or {}).items())),
    )


def reply_of(reply: Any) -> Reply:
    """An ``io.polyhost.Reply`` as a neutral one."""
    text, data = reply.text(), reply.bytes()
    body: Union[str, bytes, None] = None
    if text is not None:
        body = str(text)
    elif data is not None:
        body = bytes(memoryview(data))
    return Reply(body, _text(reply.mimetype()), _text(reply.charset()))


def _pairs(pairs: Tuple[Tuple[str, str], ...]) -> Any:
    flat: List[str] = [text for pair in pairs for text in pair]
    return java_texts(flat)


def _text(value: Any) -> Optional[str]:
    return None if value is None else str(value)
