"""The store: sources of models (folders, archives, addresses) as immutable, cached versions."""

from __future__ import annotations

from polyhost.store.draft import digest_of
from polyhost.store.store import Store, Version

__all__ = ["Store", "Version", "digest_of"]
