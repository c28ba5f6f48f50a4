"""Requests to an HTTP server that sends files or JSON: tracking servers, and archives at addresses."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from polyhost.errors import SettingsError, SourceError, TrackingUnreachable
from polyhost.tracking.access import Access

if TYPE_CHECKING:
    import httpx

TRIES = 3
PAUSE = 0.5
"""Seconds before the second try; twice that before the third."""
MAY_PASS = (429, 500, 502, 503, 504)
"""Statuses after which a request is sent again."""
CHUNK = 1 << 16
CONNECT_TIMEOUT = 10.0
MOST_ERROR_BYTES = 4096


class HttpReader:
    """The bytes of an answer, as a file that is read from its start to its end."""

    def __init__(self, chunks: Iterator[bytes], where: str) -> None:
        self._chunks = chunks
        self._where = where
        self._left = b""

    def read(self, size: int, /) -> bytes:
        import httpx

        try:
            while not self._left:
                self._left = next(self._chunks)
        except StopIteration:
            return b""
        except httpx.HTTPError as error:
            raise TrackingUnreachable(
                f"the connection to {self._where} broke off: {_reason(error)}. Try again.",
            ) from error
        found, self._left = self._left[:size], self._left[size:]
        return found


class HttpServer:
    """One server. ``shown`` is its address as errors and logs name it, without user and password."""

    def __init__(self, uri: str, access: Access | None = None) -> None:
        self._uri = uri.rstrip("/")
        scheme, mark, rest = self._uri.partition("://")
        host, slash, path = rest.partition("/")
        self.shown = scheme + mark + host.rpartition("@")[2] + slash + path
        self._access = access
        self._client: httpx.Client | None = None

    def get_json(self, path: str, query: Mapping[str, Any]) -> Any:
        """The JSON object of a GET."""
        return self._json("GET", path, {"params": dict(query)})

    def post_json(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON object of a POST that changes nothing."""
        return self._json("POST", path, {"json": dict(body)})

    def _json(self, method: str, path: str, options: dict[str, Any]) -> Any:
        with self._send(method, path, options) as reply:
            data = self._read(reply)
        try:
            found = _decode(data)
        except ValueError as error:
            raise SourceError(
                f"{self.shown}{path} does not answer as MLflow's tracking server does: {error}. "
                "See that MLFLOW_TRACKING_URI is its address."
            ) from error
        return found

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[HttpReader]:
        """Read a file from its start to its end."""
        with self._send("GET", path, {}) as reply:
            yield HttpReader(reply.iter_bytes(CHUNK), self.shown)

    @contextlib.contextmanager
    def _send(self, method: str, path: str, options: dict[str, Any]) -> Iterator[httpx.Response]:
        """One request, sent again where the cause may pass; raises what its status says."""
        import httpx

        for left in reversed(range(TRIES)):
            try:
                with self._open_client().stream(method, self._uri + path, **options) as reply:
                    if reply.status_code in MAY_PASS and left:
                        reply.close()
                    else:
                        self._check(reply, path)
                        yield reply
                        return
            except httpx.HTTPError as error:
                if not left or not isinstance(error, httpx.TransportError):
                    raise TrackingUnreachable(
                        f"cannot reach {self.shown}: {_reason(error)}. See that the server runs "
                        "and that its address is right."
                    ) from error
            time.sleep(PAUSE * (TRIES - left))

    def _check(self, reply: httpx.Response, path: str) -> None:
        if reply.is_success:
            return
        code, message = _error_of(self._read(reply)[:MOST_ERROR_BYTES])
        status = reply.status_code
        said = f"{status} {code}: {message}" if message else str(status)
        if status in MAY_PASS:
            raise TrackingUnreachable(f"{self.shown} cannot answer now: {said}.")
        if status in (401, 403):
            raise TrackingUnreachable(
                f"{self.shown} refuses: {said}. Give MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, of an account that may read "
                "there."
            )
        raise SourceError(f"{self.shown}{path.partition('?')[0]}: {said}.", code=code)

    def _read(self, reply: httpx.Response) -> bytes:
        import httpx

        try:
            return reply.read()
        except httpx.HTTPError as error:
            raise TrackingUnreachable(
                f"the connection to {self.shown} broke off: {_reason(error)}. Try again."
            ) from error

    def _open_client(self) -> httpx.Client:
        if self._client is None:
            self._client = _client(self._access)
        return self._client

    def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _client(access: Access | None) -> httpx.Client:
    import logging

    import httpx

    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs addresses with what is secret
    if access is None:
        return httpx.Client(
            follow_redirects=True, timeout=httpx.Timeout(120, connect=CONNECT_TIMEOUT)
        )
    headers = {}
    auth = None
    if access.user is not None:
        auth = httpx.BasicAuth(access.user, access.password or "")
    elif access.token is not None:
        headers["Authorization"] = f"Bearer {access.token}"
    return httpx.Client(
        auth=auth,
        headers=headers,
        verify=_trust(access),
        follow_redirects=True,
        timeout=httpx.Timeout(access.timeout, connect=min(access.timeout, CONNECT_TIMEOUT)),
    )


def _trust(access: Access) -> Any:
    """What TLS certificates are checked against, and our own."""
    import ssl

    if access.uri.startswith("http://"):
        return False  # reading the system's certificates takes a while, and nothing is checked
    try:
        context = ssl.create_default_context(cafile=access.authority)
        if not access.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if access.certificate is not None:
            context.load_cert_chain(access.certificate)
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(
            f"cannot use the certificates for {access.uri}: {error}. See "
            "MLFLOW_TRACKING_SERVER_CERT_PATH and MLFLOW_TRACKING_CLIENT_CERT_PATH."
        ) from error
    return context


def _reason(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _decode(data: bytes) -> Any:
    import json

    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError(f"expected a JSON object; found {type(found).__name__}")
    return found


def _error_of(data: bytes) -> tuple[str, str]:
    """MLflow's error code and message."""
    try:
        found = _decode(data)
    except ValueError:
        return "", " ".join(data.decode("utf-8", "replace").split())[:300]
    return str(found.get("error_code", "")), str(found.get("message", ""))
