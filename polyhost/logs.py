"""How the host logs: one function sets it up; lines of text, or one JSON object a line.

A line that is about a request carries its id and its model, whichever module wrote it. What a
client sent or a model answered is never logged.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Iterable, Optional, Protocol

FORMATS = ("text", "json")
ACCESS = "polyhost.access"
SERVE = "polyhost.serve"
"""What `polyhost serve` reports of its start and its models, whatever the level of other lines."""
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s%(about)s"
_LEVELS = {"ALL": "NOTSET", "WARN": "WARNING", "FATAL": "CRITICAL"}
_EXTRA = ("status", "milliseconds", "worker")
"""What a record may bring beside its message, and a JSON line has as members."""


class LoggedRequest(Protocol):
    """What a line says of the request it is about."""

    id: str
    model: str


_current: Callable[[], Optional[LoggedRequest]] = lambda: None  # noqa: E731


def take_requests_from(current: Callable[[], Optional[LoggedRequest]]) -> None:
    """Register what returns the request that a line is about. A worker registers nothing."""
    global _current
    _current = current


def configure(
    level: str = "warning", *, format: str = "text", access: bool = False, serve: bool = False
) -> None:
    """Log to standard error from this level on; ``access`` adds a line for each request, ``serve``
    those of a server's start, unless only errors are wanted.

    Replaces what an earlier call set up.
    """
    handler = _Stderr()
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter(_TEXT))
    root = logging.getLogger()
    for old in tuple(root.handlers):
        if getattr(old, "polyhost", False):
            root.removeHandler(old)
    handler.polyhost = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(_LEVELS.get(level.upper(), level.upper()))
    logging.getLogger(ACCESS).setLevel(logging.INFO if access else logging.CRITICAL)
    shown = serve and root.level <= logging.WARNING
    logging.getLogger(SERVE).setLevel(logging.INFO if shown else logging.NOTSET)


def configure_worker(level: int) -> None:
    """Log in a worker, where the model's own code logs too: the host passes on what is printed."""
    handler = _Stderr()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


class _Stderr(logging.Handler):
    """Prints to what standard error is by then: secrets may be masked in it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


class TextFormatter(logging.Formatter):
    """``TIME LEVEL LOGGER: MESSAGE``, and the request's id in brackets where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        exchange = _current()
        record.about = f" [request {exchange.id}]" if exchange is not None else ""
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """One object a line: ``time``, ``level``, ``logger``, ``message``, and what is known besides."""

    def format(self, record: logging.LogRecord) -> str:
        line: Dict[str, Any] = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        exchange = _current()
        if exchange is not None:
            line.update(request_id=exchange.id, model=exchange.model)
        for name in _EXTRA:
            if hasattr(record, name):
                line[name] = getattr(record, name)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def timestamp(seconds: float) -> str:
    """UTC to the millisecond, as RFC 3339 writes it."""
    text = datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def guest_lines(
    lines: Iterable[bytes], *, model: str, stream: str, worker: int, request: str
) -> bytes:
    """What guest code printed, as JSON lines of the log."""
    line: Dict[str, Any] = {
        "time": timestamp(time.time()),
        "level": "info",
        "logger": "polyhost.guest",
        "message": "",
        "model": model,
        "stream": stream,
        "worker": worker,
    }
    if request:
        line["request_id"] = request
    written = []
    for text in lines:
        line["message"] = text.decode("utf-8", "replace")
        written.append(json.dumps(line, ensure_ascii=False))
    return "".join(f"{text}\n" for text in written).encode("utf-8")
