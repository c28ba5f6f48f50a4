"""The API keys of a configuration, and what is left of them in one that is wrong elsewhere."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from polyhost.config.problems import Problems
from polyhost.config.reading import Document, Values, read
from polyhost.settings import ApiKey


def read_keys(
    document: Document, environ: Mapping[str, str], problems: Problems
) -> tuple[ApiKey, ...]:
    """The keys of a document; a variable that is not set is a mistake."""
    found = []
    for number, values in enumerate(document.keys, 1):
        secret = _secret(values, environ)
        if secret is None and "variable" in values:
            problems.add(
                values["variable"].spelling,
                f"keys.{number}: expected a key in the environment variable "
                f"{values['variable'].value}; found it unset or empty.",
            )
        if "name" in values:
            found.append(_key(values, secret or ""))
    return tuple(found)


def keys_in(path: Path, known: Sequence[ApiKey]) -> tuple[ApiKey, ...] | None:
    """The keys of a file in which other things may be wrong; None when it cannot be read.

    A key whose own entry is wrong stays what it is among ``known``. Of a file that is no YAML at all,
    those of ``known`` stay whose digest, or whose variable, still stands in it.
    """
    document = read(path, Problems())
    if "" in document.mistaken or "keys" in document.mistaken:
        return _still_there(path, known)
    before = {key.sha256: key for key in known}
    found = []
    for number, values in enumerate(document.keys, 1):
        secret = _secret(values, os.environ)
        right = f"keys.{number}" not in document.mistaken and "name" in values
        if secret is not None and right and ("sha256" in values) != ("variable" in values):
            found.append(_key(values, secret))
        elif secret in before:
            found.append(before[secret])
    return tuple(found)


def _still_there(path: Path, known: Sequence[ApiKey]) -> tuple[ApiKey, ...] | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    words = set(_WORD.findall(_COMMENT.sub("", text)))
    by_variable = {os.environ[word] for word in words & os.environ.keys()}
    digests = words | {hashlib.sha256(value.encode()).hexdigest() for value in by_variable}
    return tuple(key for key in known if key.sha256 in digests)


_WORD = re.compile(r"\w+")
_COMMENT = re.compile(r"(?m)(?:^|(?<=\s))#.*$")


def _secret(values: Values, environ: Mapping[str, str]) -> str | None:
    """The SHA-256 of a key; None where there is none."""
    if "sha256" in values:
        return str(values["sha256"].value)
    text = environ.get(values["variable"].value, "") if "variable" in values else ""
    return hashlib.sha256(text.encode()).hexdigest() if text else None


def _key(values: Values, secret: str) -> ApiKey:
    role = values["role"].value if "role" in values else "predict"
    models = values["models"].value if "models" in values else ()
    return ApiKey(values["name"].value, secret, role, models)
