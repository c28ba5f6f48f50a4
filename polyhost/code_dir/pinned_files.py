"""Pinned files of a code dir: looked at by the process that loads them, before it does."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import List, Mapping

from polyhost.errors import DigestMismatch, SettingsError
from polyhost.predictor import ModelSpec

CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            found.update(chunk)
    return found.hexdigest()


def check(spec: ModelSpec, digests: Mapping[str, str]) -> None:
    """DigestMismatch unless every pinned file is as it was, and none that is loaded is missing.

    ``digests``: SHA-256 by path below the code dir. The custom file and the artifacts have to be
    among them; what the custom file reads by itself may be.
    """
    if not digests:
        return
    known = {os.path.normpath(name) for name in digests}
    for name in _loaded(spec):
        if name not in known:
            raise DigestMismatch(
                f"{name} in {spec.code_dir} would be loaded, and its digest is not pinned: "
                f"expected it among {', '.join(sorted(known))}. Add it to digests, or take the "
                "file away.",
                file=name,
                expected=None,
                found=_found(spec.code_dir / name),
            )
    for name, expected in digests.items():
        _check_file(spec.code_dir, name, expected)


def _loaded(spec: ModelSpec) -> List[str]:
    paths = [*spec.artifacts, *([spec.custom_file] if spec.custom_file else [])]
    return [
        os.path.normpath(os.path.relpath(spec.code_dir / path, spec.code_dir)) for path in paths
    ]


def _check_file(code_dir: Path, name: str, expected: str) -> None:
    plain = os.path.normpath(name)
    if os.path.isabs(plain) or plain.split(os.sep)[0] == os.pardir:
        raise SettingsError(
            f"digests: expected paths below {code_dir}; found {name!r}. Name files as they are "
            "called in the folder."
        )
    found = _found(code_dir / plain)
    if found != expected:
        raise DigestMismatch(
            f"{name} in {code_dir} is not the file that was pinned: expected SHA-256 {expected}; "
            f"found {found}. Put the pinned file back, or pin this one if you trust it.",
            file=name,
            expected=expected,
            found=found,
        )


def _found(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        return error.strerror or str(error)
