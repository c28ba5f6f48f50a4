"""What came before a request's body, whatever carried it."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from polyhost.server.call.keys import HEADERS

Header = Tuple[bytes, bytes]
HIDDEN = HEADERS | {b"content-encoding"}
"""Headers that a model's code does not see: keys, and the coding that its body no longer has."""


class RequestHead:
    """Method, path, query and headers of a request; names of headers are in lower case."""

    __slots__ = ("method", "path", "query", "headers", "id", "_names")

    def __init__(
        self,
        method: str,
        path: str,
        query: bytes,
        headers: List[Header],
        id: bytes,
        names: Optional[Dict[bytes, bytes]] = None,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.id = id
        """Its X-Request-Id."""
        self._names = names

    def get(self, name: bytes) -> bytes:
        """The first header of that name; empty when there is none."""
        names = self._names
        if names is None:
            names = self._names = dict(reversed(self.headers))
        return names.get(name, b"")

    @property
    def content_type(self) -> str:
        """The type of the body, as it was sent."""
        return self.get(b"content-type").decode("latin-1")

    def for_model(self, *, keys: bool) -> Dict[str, str]:
        """Headers that a model's code sees, names in canonical capitals, repeated ones joined.

        ``keys``: what looks like a key is one of the server's own, and left out.
        """
        found: Dict[str, str] = {"X-Request-Id": self.id.decode("latin-1")}
        seen: Dict[str, str] = {}
        for key, value in self.headers:
            if key in HIDDEN and (keys or key == b"content-encoding"):
                continue
            name = key.decode("latin-1").title()
            text = value.decode("latin-1")
            seen[name] = f"{seen[name]},{text}" if name in seen else text
        found.update(seen)
        return found
