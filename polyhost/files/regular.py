"""Reading of files that somebody else made, which need not be files at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MOST = 1 << 20


def read_start(path: Path, most: int = MOST) -> bytes:
    """The first bytes of a regular file; nothing of a pipe, a device or what cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not block
    except OSError:
        return b""
    try:
        return os.read(fd, most) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(fd)
