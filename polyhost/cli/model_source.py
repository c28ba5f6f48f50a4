"""The model that a command of one model is given: a folder, an archive, or an address."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from polyhost.errors import SettingsError

if TYPE_CHECKING:
    from polyhost.store import Store

STORE = "POLYHOST__STORE__PATH"
"""The variable of the setting ``store.path``."""

_held: list[Store] = []
"""Stores whose versions this process uses, to its end."""


def model_folder(source: str) -> Path:
    """The real path of a model's code dir; of an archive or an address that of its version.

    SourceError where it cannot be had.
    """
    from polyhost.store.sources import is_address, is_archive

    if not is_address(source):
        path = Path(source)
        if path.is_dir():
            return path.resolve()
        if not (path.is_file() and is_archive(source)):
            raise SettingsError(
                f"no model at {source!r}: expected a folder, an archive, or an address such as "
                "models:/NAME/1."
            )
    from polyhost.store import Store
    from polyhost.store.store import default_store

    place = os.environ.get(STORE)
    store = Store(Path(place) if place else default_store())
    _held.append(store)
    return store.add(source).path
