"""Whether a code dir has changed since it was loaded."""

from __future__ import annotations

import os
from typing import List, Tuple

from polyhost.settings import ModelConfig

Fingerprint = Tuple[Tuple[str, int, int], ...]
MOST_FILES = 2000


def fingerprint(hosted: ModelConfig) -> Fingerprint:
    """Names, sizes and times of a code dir's files: whether it changed since it was loaded."""
    found: List[Tuple[str, int, int]] = []
    for folder, _, names in os.walk(hosted.spec.code_dir):
        if "__pycache__" in folder:
            continue
        for name in names:
            path = os.path.join(folder, name)
            try:
                stat = os.stat(path)
            except OSError:
                continue
            found.append((path, stat.st_size, stat.st_mtime_ns))
            if len(found) >= MOST_FILES:
                return tuple(sorted(found))
    return tuple(sorted(found))
