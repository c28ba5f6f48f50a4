"""DRUM's Python names for code that was written for it.

The folder holds a package ``datarobot_drum`` with the few names that model code imports. It goes to
the end of the search path of a worker, so that the real package, where it is installed, wins.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import List

FOLDER = str(Path(__file__).parent)
DRUM_VERSION = "1.17.20.post1"
"""The DRUM whose contract is kept; what its clients and model code read as its version."""


def expose() -> List[str]:
    """Make ``datarobot_drum`` importable; the entries that were added to ``sys.path``."""
    if FOLDER in sys.path:
        return []
    sys.path.append(FOLDER)
    return [FOLDER]


class CustomHTTPError(Exception):
    """A hook raises it to answer its client with a status of its own."""

    def __init__(self, message: str = "", status_code: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
