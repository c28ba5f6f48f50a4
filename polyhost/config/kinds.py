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
from polyhost.settings import MODEL_NAME, OWN_ENVIRONMENTS
from polyhost.store.sources import is_address

LARGEST = 1 << 60
"""Bytes; more than any limit here means."""
NONE = "none"
"""How a limit is taken away."""


@dataclass(frozen=True)
class ValueKind:
    """One kind of value.

    ``expected`` follows the word in a message. ``parse`` gets the text and the folder that
    relative paths are of; it raises ValueError, with what was found where that is not the text.
    ``on_disk``: whether a text is right depends on what is there; ``leads_to`` gives that place,
    links followed, or None for a text that leads nowhere here. ``words``: all there are.
    """

    expected: str
    parse: Callable[[str, Path], Any]
    show: Callable[[Any], str] = str
    on_disk: bool = False
    words: tuple[str, ...] = ()
    leads_to: Callable[[str, Path], Path | None] = lambda text, base: None

    def or_none(self) -> ValueKind:
        """This kind, or ``none``."""

        def parse(text: str, base: Path) -> Any:
            return None if _is_none(text) else self.parse(text, base)

        def show(value: Any) -> str:
            return NONE if value is None else self.show(value)

        def leads_to(text: str, base: Path) -> Path | None:
            return None if _is_none(text) else self.leads_to(text, base)

        expected = f"{self.expected}, or {NONE}"
        return replace(self, expected=expected, parse=parse, show=show, leads_to=leads_to)


def _is_none(text: str) -> bool:
    return text.strip().lower() in (NONE, "null", "~")


def whole(least: int, most: int) -> ValueKind:
    """A whole number between bounds."""

    def parse(text: str, _base: Path) -> int:
        if not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", text, re.ASCII):
            raise ValueError
        return _within(int(text), least, most)

    return ValueKind(f"a whole number from {least} to {most}", parse)


def size(least: int = 0, most: int = LARGEST) -> ValueKind:
    """A number of bytes between bounds."""

    def parse(text: str, _base: Path) -> int:
        try:
            value = units.parse_size(text)
        except ValueError:
            raise ValueError from None
        return _within(value, least, most)

    bounds = f" from {units.show_size(least)}" if least else ""
    bounds += f" to {units.show_size(most)}" if most < LARGEST else ""
    return ValueKind(f"a size{bounds}, such as 512MiB", parse, units.show_size)


def _within(value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise ValueError
    return value


def choice(*words: str) -> ValueKind:
    """One of some words."""

    def parse(text: str, _base: Path) -> str:
        if text not in words:
            raise ValueError
        return text

    return ValueKind(f"one of {', '.join(words)}", parse, words=words)


def matching(pattern: str, expected: str) -> ValueKind:
    """Text of a certain form."""

    def parse(text: str, _base: Path) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return ValueKind(expected, parse)


def _cores(text: str, _base: Path) -> float:
    value = float(text)
    if not 0.01 <= value <= 10_000:
        raise ValueError
    return value


def _word(text: str, _base: Path) -> str:
    if not re.fullmatch(r"\S{1,256}", text) or not text.isprintable():
        raise ValueError
    return text


def _seconds(text: str, _base: Path) -> float:
    try:
        value = units.parse_seconds(text)
    except ValueError:
        raise ValueError from None
    if not value:
        raise ValueError
    return value


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
    try:
        return base / Path(text).expanduser()
    except RuntimeError:  # ~NAME of an account that is not there
        raise ValueError(f"no home of {text.partition('/')[0]!r}") from None


def _real(text: str, base: Path) -> Path:
    return Path(os.path.realpath(_place(text, base)))


def _real_interpreter(text: str, base: Path) -> Path | None:
    """The interpreter of a virtual environment is a link: its folder decides."""
    if text in OWN_ENVIRONMENTS:
        return None
    if os.sep not in text:
        return Path("/") / text  # looked up on PATH
    folder, name = os.path.split(_place(text, base))
    return Path(os.path.realpath(folder)) / name


def _what_is_at(path: Path) -> str:
    found = "a folder" if path.is_dir() else "a file" if path.exists() else "nothing"
    return f"{found} at {path}"


def _source(text: str, base: Path) -> str:
    """An address stays as it is; a path becomes whole, and has to be there."""
    if is_address(text):
        return text
    path = _place(text, base)
    if not path.exists():
        raise ValueError(_what_is_at(path))
    return str(path.resolve())


def _interpreter(text: str, base: Path) -> str:
    if text in OWN_ENVIRONMENTS:
        return text
    path = _place(text, base)
    found = shutil.which(path if os.sep in text else text)
    if not found:
        raise ValueError(f"no interpreter at {text!r}")
    # Not resolved: a virtual environment's interpreter is a link that has to stay one.
    return os.path.abspath(found)


TEXT = ValueKind("text", lambda text, _base: text)
WORD = ValueKind("text without spaces, of at most 256 characters", _word)
TAG = matching(r"\S(?:.{0,248}\S)?", "a tag's name")
VARIABLE = matching(r"[^=\s]{1,256}", "a name without spaces and `=`")
MODEL = matching(MODEL_NAME.pattern, "a model's name: letters, digits, '_', '-' and '.', up to 128")
SWITCH = ValueKind("true or false", _switch, lambda value: "true" if value else "false")
SECONDS = ValueKind("a duration above 0, such as 30s or 2m", _seconds, units.show_seconds)
CORES = ValueKind("a number from 0.01 to 10000", _cores, lambda value: f"{value:g}")
FOLDER = ValueKind("an existing folder", _folder, on_disk=True, leads_to=_real)
FILE = ValueKind("an existing file", _file, on_disk=True, leads_to=_real)
PLACE = ValueKind("a path", lambda text, base: _place(text, base).absolute())
SOURCE = ValueKind(
    "an existing folder or archive, or an address such as s3://bucket/model", _source, on_disk=True
)
INTERPRETER = ValueKind(
    "uv, virtualenv, conda, or the path of a Python interpreter",
    _interpreter,
    on_disk=True,
    leads_to=_real_interpreter,
)
SHA256 = matching(r"[0-9a-f]{64}", "a SHA-256 in hexadecimal")
