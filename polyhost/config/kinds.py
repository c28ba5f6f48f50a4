"""What a setting's value may be: how it reads in the reference, and how text becomes it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from polyhost.config import units
from polyhost.data.booleans import boolean

NONE = "none"
"""How a limit is taken away."""


@dataclass(frozen=True)
class Kind:
    """One kind of value.

    ``expected`` follows the word in a message. ``parse`` gets the text and the folder that
    relative paths are of; it raises ValueError, with what was found where that is not the text.
    ``on_disk``: whether a text is right depends on what is there. ``words``: all there are.
    """

    expected: str
    parse: Callable[[str, Path], Any]
    show: Callable[[Any], str] = str
    on_disk: bool = False
    words: tuple[str, ...] = ()

    def or_none(self) -> Kind:
        """This kind, or ``none``."""

        def parse(text: str, base: Path) -> Any:
            return None if text.strip().lower() in (NONE, "null", "~") else self.parse(text, base)

        def show(value: Any) -> str:
            return NONE if value is None else self.show(value)

        return replace(self, expected=f"{self.expected}, or {NONE}", parse=parse, show=show)


def whole(least: int, most: int | None = None) -> Kind:
    """A whole number between bounds."""

    def parse(text: str, _base: Path) -> int:
        if not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", text, re.ASCII):
            raise ValueError
        return _within(int(text), least, most)

    return Kind(f"a whole number from {least}" + (f" to {most}" if most else ""), parse)


def _within(value: int, least: int, most: int | None) -> int:
    if value < least or (most is not None and value > most):
        raise ValueError
    return value


def choice(*words: str) -> Kind:
    """One of some words."""

    def parse(text: str, _base: Path) -> str:
        if text not in words:
            raise ValueError
        return text

    return Kind(f"one of {', '.join(words)}", parse, words=words)


def matching(pattern: str, expected: str) -> Kind:
    """Text of a certain form."""

    def parse(text: str, _base: Path) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return Kind(expected, parse)


def _positive(text: str, _base: Path) -> float:
    value = float(text)
    if not 0 < value < 10_000:
        raise ValueError
    return value


def _seconds(text: str, _base: Path) -> float:
    try:
        value = units.parse_seconds(text)
    except ValueError:
        raise ValueError from None
    if not value:
        raise ValueError
    return value


def _size(text: str, _base: Path) -> int:
    try:
        return units.parse_size(text)
    except ValueError:
        raise ValueError from None


def _switch(text: str, _base: Path) -> bool:
    value = boolean(text)
    if value is None:
        raise ValueError
    return value


def _folder(text: str, base: Path) -> Path:
    path = _place(text, base)
    if not path.is_dir():
        raise ValueError(_what_is_at(path))
    return path.resolve()


def _file(text: str, base: Path) -> Path:
    path = _place(text, base)
    if not path.is_file():
        raise ValueError(_what_is_at(path))
    return path.resolve()


def _place(text: str, base: Path) -> Path:
    if not text or "\0" in text:
        raise ValueError
    return base / Path(text).expanduser()


def _what_is_at(path: Path) -> str:
    found = "a folder" if path.is_dir() else "a file" if path.exists() else "nothing"
    return f"{found} at {path}"


def _source(text: str, base: Path) -> str:
    """An address stays as it is; a path becomes whole, and has to be there."""
    if "://" in text:
        return text
    path = _place(text, base)
    if not path.exists():
        raise ValueError(_what_is_at(path))
    return str(path.resolve())


def _interpreter(text: str, base: Path) -> str:
    if text == "uv":
        return text
    path = _place(text, base)
    found = shutil.which(path if os.sep in text else text)
    if not found:
        raise ValueError(f"no interpreter at {text!r}")
    # Not resolved: a virtual environment's interpreter is a link that has to stay one.
    return os.path.abspath(found)


TEXT = Kind("text", lambda text, _base: text)
WORD = matching(r"\S+", "text without spaces")
SWITCH = Kind("true or false", _switch, lambda value: "true" if value else "false")
SECONDS = Kind("a duration above 0, such as 30s or 2m", _seconds, units.show_seconds)
SIZE = Kind("a size, such as 512MiB", _size, units.show_size)
CORES = Kind("a number above 0", _positive, lambda value: f"{value:g}")
FOLDER = Kind("an existing folder", _folder, on_disk=True)
FILE = Kind("an existing file", _file, on_disk=True)
PLACE = Kind("a path", lambda text, base: _place(text, base).absolute())
SOURCE = Kind(
    "an existing folder or archive, or an address such as s3://bucket/model", _source, on_disk=True
)
INTERPRETER = Kind("uv, or the path of a Python interpreter", _interpreter, on_disk=True)
SHA256 = matching(r"[0-9a-f]{64}", "a SHA-256 in hexadecimal")
