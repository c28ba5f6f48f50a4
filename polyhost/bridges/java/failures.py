"""What Java throws, as polyhost's errors."""

from __future__ import annotations

from typing import Any, Dict, Type

from polyhost.bridges.java.jvm import java_class
from polyhost.errors import (
    GuestStatus,
    InvalidOutput,
    LoadError,
    MissingHook,
    ModelError,
    PolyhostError,
    RuntimeUnavailable,
    SchemaMismatch,
)

_OURS: Dict[str, Type[PolyhostError]] = {
    "LOAD": LoadError,
    "SCHEMA": SchemaMismatch,
    "OUTPUT": InvalidOutput,
    "RUNTIME": RuntimeUnavailable,
    "UNSUPPORTED": MissingHook,
}


def translate(thrown: Any, hook: str) -> PolyhostError:
    """The error for a Java throwable that came out of a hook (or ``predict``, or ``load``)."""
    kind, message, trace, place = map(str, java_class("io.polyhost.load.Failure").describe(thrown))
    if isinstance(thrown, java_class("io.polyhost.PredictorException")):
        where = thrown.location()
        return _OURS[str(thrown.kind())](
            message,
            language="java",
            hook=hook,
            native_type=kind,
            native_message=message,
            native_traceback=trace,
            location=None if where is None else str(where),
        )
    error = ModelError.in_hook(
        language="java",
        hook=hook,
        native_type=kind,
        native_message=message,
        native_traceback=trace,
        location=place or None,
    )
    if isinstance(thrown, java_class("io.polyhost.HttpStatusException")):
        return GuestStatus(message, **{**error.facts, "status": int(thrown.status())})
    return error
