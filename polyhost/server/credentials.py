"""What lets clients in, and keeps others from listening: keys and the certificate, as they are now.

Both are read again with the configuration. Whether there are keys at all, and whether the server
speaks TLS, is settled at its start.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from polyhost.errors import SettingsError
from polyhost.server.call.keys import Keys
from polyhost.server.http import tls
from polyhost.settings import ApiKey, ServerSettings, Tls

logger = logging.getLogger(__name__)


class Access:
    """The keys and the certificate of one process; what uses them sees every change at once."""

    def __init__(self, settings: ServerSettings) -> None:
        self.keys = Keys(settings.keys)
        self.context: Optional[ssl.SSLContext] = None
        self.files = settings.tls
        self.certificate_changes = 0
        """How often the certificate was renewed, for who holds it in another form."""
        if settings.tls is not None:
            self.context = tls.context(settings.tls)

    def renew(self, settings: ServerSettings) -> None:
        """Take over what the configuration says now; SettingsError leaves the rest as it was.

        Keys come first: whatever is wrong with the certificate, a key that was taken out is gone.
        """
        if settings.keys and not self.keys.asked_for:
            raise SettingsError(
                f"{len(settings.keys)} key(s) are in the configuration now, and this server was "
                "started without any: it lets everybody in until it is started again."
            )
        self.keys.use(settings.keys)
        if (settings.tls is None) != (self.context is None):
            raise SettingsError(
                "tls was added to the configuration or taken away: expected what the server was "
                "started with. Start it again."
            )
        if settings.tls is not None:
            tls.context(settings.tls)  # tried on one that nobody uses
        self._use(settings.keys, settings.tls)
        if self.keys.asked_for and not settings.keys:
            logger.warning("no key is left: nobody is let in until there is one, or a start anew")

    def _use(self, keys: Sequence[ApiKey], files: Optional[Tls]) -> None:
        self.keys.use(keys)
        if self.context is not None and files is not None:
            tls.load(self.context, files)
            self.files = files
            self.certificate_changes += 1

    def use_wire(self, wire: Mapping[str, Any]) -> None:
        """The same in a front: what its supervisor has found right."""
        keys = [ApiKey(**{**key, "models": tuple(key["models"])}) for key in wire["keys"]]
        self._use(keys, Tls(*map(Path, wire["tls"])) if wire["tls"] else None)


def access_to_wire(settings: ServerSettings) -> Dict[str, Any]:
    """What a front gets of a configuration."""
    files = settings.tls
    return {
        "keys": [asdict(key) for key in settings.keys],
        "tls": [str(files.certificate), str(files.key)] if files is not None else None,
    }
