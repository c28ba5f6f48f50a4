"""Which kind of tracking store an address is of."""

from __future__ import annotations

from polyhost.errors import SettingsError
from polyhost.tracking.access import Access
from polyhost.tracking.backend import Backend


def open_backend(access: Access) -> Backend:
    """The store at ``access``; SettingsError for an address of a kind that is not known."""
    uri = access.uri
    if uri.startswith(("http://", "https://")):
        from polyhost.tracking.rest import RestBackend

        return RestBackend(access)
    raise SettingsError(
        f"cannot read the tracking store {uri!r}: expected http:// or https:// of a server. Set "
        "MLFLOW_TRACKING_URI."
    )
