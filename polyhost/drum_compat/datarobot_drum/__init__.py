"""The names of DRUM that model code imports, as polyhost serves them."""

from __future__ import annotations

from polyhost.drum_compat import CustomHTTPError
from polyhost.runtime_parameters import RuntimeParameters

__all__ = ["CustomHTTPError", "RuntimeParameters"]
