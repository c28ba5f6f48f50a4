"""Settings in effect, as people and as programs read them. Secrets are never shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from polyhost.config.kinds import NONE
from polyhost.config.loading import Loaded
from polyhost.config.schema import KEYS, MODEL, SCHEMA, Field, Section
from polyhost.settings import Setting, Source

MASK = "********"
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)
_ACCESS = re.compile(r"(?<=://)[^/@]+@")


def as_lines(loaded: Loaded) -> list[str]:
    """``name = value  (source)``, the sources in a column of their own."""
    rows = [
        (f"{name} = {_shown(name, setting)}", _source(setting))
        for name, setting in loaded.sources.items()
    ]
    width = min(60, max((len(left) for left, _ in rows), default=0))
    return [f"{left:<{width}}  {source}" for left, source in rows]


def as_json(loaded: Loaded) -> dict[str, Any]:
    """Values by dotted name, each with its source; sizes in bytes, durations in seconds."""
    return {
        name: {
            "value": MASK if _is_secret(name, setting) else _plain(setting.value),
            "source": setting.source.value,
            "where": setting.spelling,
        }
        for name, setting in loaded.sources.items()
    }


def _shown(name: str, setting: Setting[Any]) -> str:
    if _is_secret(name, setting):
        return MASK
    field = field_of(name)
    values = setting.value if isinstance(setting.value, tuple) else (setting.value,)
    texts = [_text(field, value) for value in values]
    return ", ".join(texts) if texts else "(none)"


def _text(field: Field | None, value: Any) -> str:
    if value is None:
        return NONE
    plain = _plain(value)
    shown = field.kind.show(plain) if field else str(plain)
    return shown if shown and shown == shown.strip() else repr(shown)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return _ACCESS.sub(f"{MASK}@", value) if isinstance(value, str) else value


def _source(setting: Setting[Any]) -> str:
    if setting.source is Source.DEFAULT:
        return "default"
    if setting.source is Source.ENVIRONMENT:
        return f"environment: {setting.spelling}"
    return setting.spelling


def _is_secret(name: str, setting: Setting[Any]) -> bool:
    field = field_of(name)
    if field is None or setting.value is None:
        return False
    last = name.rpartition(f"{field.name}.")[2]
    return field.secret or (field.name == "environment" and bool(_SECRET.search(last)))


def field_of(name: str) -> Field | None:
    """The setting of a dotted name, names of models and numbers of keys included."""
    top, _, rest = name.partition(".")
    if top == "keys":
        return _below(KEYS, rest.partition(".")[2])
    if top == "models":
        # A model's name may hold dots: the longest rest that the schema knows is the setting.
        parts = rest.split(".")
        found = (_below(MODEL, ".".join(parts[start:])) for start in range(1, len(parts)))
        return next((field for field in found if field is not None), None)
    return _below(SCHEMA, name)


def _below(section: Section, name: str) -> Field | None:
    for known, field in section.leaves():
        if name == known or (field.many == "map" and name.startswith(f"{known}.")):
            return field
    return None
