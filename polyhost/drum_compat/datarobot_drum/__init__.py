"""The names of DRUM that model code imports, as polyhost serves them."""

from __future__ import annotations

from polyhost.code_dir.runtime_parameters import RuntimeParameters
from polyhost.drum_compat import CustomHTTPError

__all__ = ["CustomHTTPError", "RuntimeParameters"]
