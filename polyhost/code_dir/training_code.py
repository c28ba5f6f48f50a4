"""Whether a code dir can be trained: its custom file, as it stands, defines the ``fit`` hook."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Optional, Sequence

_FIT = re.compile(
    r"^\s*(?:async\s+)?def\s+fit\s*\("  # Python
    r"|^\s*from\s+\S+\s+import\b.*\bfit\b"
    r"|^\s*class\s+CustomTask\b"
    r"|^\s*fit\s*(?:<-|=)\s*function\b"  # R
    r"|\bvoid\s+fit\s*\(",  # Java
    re.MULTILINE,
)
_ANY_FIT = re.compile(
    r"\bfit\b|\bCustomTask\b|\bimport\s+\*|\bsource\s*\(|\binclude\s*\(|\bextends\b"
)
_TRAINING = b"io/polyhost/Training"
_JULIA = re.compile(r"^\s*(?:function\s+fit\s*\(|fit\s*\(.*\)\s*=[^=])", re.MULTILINE)


def may_train(code_dir: Path, custom_file: Optional[Path]) -> bool:
    """Whether the custom file of a code dir defines ``fit``."""
    if custom_file is None:
        return False
    path = code_dir / custom_file
    if path.suffix == ".jar":
        return _jar_may_train(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return (_JULIA if path.suffix == ".jl" else _FIT).search(text) is not None


def never_trains(code_dir: Path, custom_file: Optional[Path]) -> bool:
    """Whether no ``fit`` can be in a code dir: nothing in its custom file is called so, and nothing
    is read from other files without a name."""
    if custom_file is None:
        return True
    path = code_dir / custom_file
    if path.suffix == ".jar":
        return not _jar_may_train(path)
    try:
        return _ANY_FIT.search(path.read_text(encoding="utf-8", errors="replace")) is None
    except OSError:
        return False


def _jar_may_train(path: Path) -> bool:
    """Whether a class in a jar names what ``fit`` alone is given."""
    try:
        with zipfile.ZipFile(path) as jar:
            classes = [name for name in jar.namelist() if name.endswith(".class")]
            return any(_TRAINING in jar.read(name) for name in classes)
    except (OSError, zipfile.BadZipFile):
        return False


def is_untrained(code_dir: Path, custom_file: Optional[Path], artifacts: Sequence[Path]) -> bool:
    """Whether there is nothing to load yet, but something to train."""
    return not artifacts and may_train(code_dir, custom_file)
