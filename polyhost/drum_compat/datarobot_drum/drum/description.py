"""The version of DRUM that is stood in for."""

from __future__ import annotations

from polyhost.drum_compat import DRUM_VERSION

version = DRUM_VERSION
__version__ = version

__all__ = ["version"]
