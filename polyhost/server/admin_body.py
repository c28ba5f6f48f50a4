"""Bodies of the admin API: JSON objects in which every text is one that a process can hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Mapping, NoReturn, Union

from polyhost.config.schema import MOST_REPLICAS
from polyhost.errors import InvalidInput, SettingsError
from polyhost.host.spool import Spool

DEEPEST = 16
"""Levels of objects and lists in each other."""
LONGEST = 4096
"""Characters of a source."""
_FIELDS = ("source", "settings", "replicas", "version")


@dataclass(frozen=True)
class Load:
    """What a model is to be loaded from, and how."""

    source: str
    settings: Mapping[str, Any]
    replicas: int
    version: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Load:
        """From a body; SettingsError with the name of the field that is wrong."""
        unknown = sorted(set(body) - set(_FIELDS))
        if unknown or "source" not in body:
            raise SettingsError(
                "expected an object with source (a path or an address), and optionally settings, replicas and "
                f"version; found {', '.join(map(repr, sorted(body))) or 'nothing'}."
            )
        settings = body.get("settings", {})
        if not isinstance(settings, dict):
            raise SettingsError(f"settings must be an object; found {_shown(settings)}.")
        return cls(_text(body, "source"), settings, replicas_in(body, 1), _version(body))


def replicas_in(body: Mapping[str, Any], otherwise: Any = None) -> int:
    """The number of replicas in a body; SettingsError when there is none."""
    value = body.get("replicas", otherwise)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_REPLICAS:
        raise SettingsError(
            f"replicas must be a whole number from 1 to {MOST_REPLICAS}; found {_shown(value)}."
        )
    return value


def parse(body: Union[bytes, Spool]) -> Dict[str, Any]:
    """The object in a body; an empty body is an empty one. InvalidInput names what is wrong."""
    data = body.read() if isinstance(body, Spool) else body
    if isinstance(body, Spool):
        body.close()
    try:
        found = json.loads(data, parse_constant=_refuse) if data else {}
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidInput("the body is not a JSON object")
    _check(found, "", 0)
    return found


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _check(value: Any, place: str, depth: int) -> None:
    """InvalidInput for text that no process and no file name can hold, with its place."""
    if depth > DEEPEST:
        raise InvalidInput(f"{place[:200]}: nested too deep: expected at most {DEEPEST} levels")
    if isinstance(value, str):
        _check_text(value, place or "the body")
    elif isinstance(value, list):
        for number, item in enumerate(value, 1):
            _check(item, f"{place}.{number}", depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key, f"a name in {place or 'the body'}")
            _check(item, f"{place}.{key}" if place else key, depth + 1)


def _check_text(text: str, place: str) -> None:
    found = ""
    if "\0" in text:
        found = "a NUL character"
    elif any("\ud800" <= character <= "\udfff" for character in text):
        found = "half of a surrogate pair"
    if found:
        raise InvalidInput(f"{place}: expected text; found {found} in it")


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body[name]
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        raise SettingsError(
            f"{name} must be text of 1 to {LONGEST} characters; found {_shown(value)}."
        )
    return value


def _version(body: Mapping[str, Any]) -> str:
    value = body.get("version", "")
    if not isinstance(value, str) or len(value) > 128 or " " in value or not value.isprintable():
        raise SettingsError(
            "version must be text without spaces, of at most 128 characters; found "
            f"{_shown(value)}."
        )
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
