"""MLflow's tracking: registered models, their versions, and the files of logged models.

The host speaks to a server over MLflow's REST API, and reads a database of SQLite or a folder of
files as MLflow writes them without one. MLflow itself is not needed.
"""

from __future__ import annotations

from polyhost.tracking.access import Access
from polyhost.tracking.backend import Backend, RegisteredModel, RegisteredVersion
from polyhost.tracking.open import open_backend
from polyhost.tracking.resolve import Location, resolve
from polyhost.tracking.uri import is_tracked, name_of

__all__ = [
    "Access",
    "Backend",
    "Location",
    "RegisteredModel",
    "RegisteredVersion",
    "is_tracked",
    "name_of",
    "open_backend",
    "resolve",
]
