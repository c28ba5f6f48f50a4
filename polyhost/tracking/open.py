"""Which kind of tracking store an address is of."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from polyhost.errors import SettingsError
from polyhost.tracking.access import Access
from polyhost.tracking.backend import Backend


def open_backend(access: Access) -> Backend:
    """The store at ``access``; SettingsError for an address of a kind that is not known."""
    uri = access.uri
    if uri.startswith(("http://", "https://")):
        from polyhost.tracking.rest import RestBackend

        return RestBackend(access)
    if uri.startswith("sqlite:///"):
        from polyhost.tracking.sqlite import SqliteBackend

        return SqliteBackend(uri)
    if uri.startswith("file:") or (uri and ":" not in uri):
        from polyhost.tracking.folder import FolderBackend

        path = unquote(urlsplit(uri).path) if uri.startswith("file:") else uri
        return FolderBackend(uri, Path(path))
    raise SettingsError(
        f"cannot read the tracking store {uri.rpartition('@')[2]!r}: expected the address of a "
        "server (http://, https://), sqlite:///FILE, or the path of a folder. Set "
        "MLFLOW_TRACKING_URI."
    )
