"""The configuration of ``polyhost serve``: its schema, its file, and where each value came from."""

from __future__ import annotations

from polyhost.config.keys import keys_in
from polyhost.config.loading import Loaded, load

__all__ = ["Loaded", "keys_in", "load"]
