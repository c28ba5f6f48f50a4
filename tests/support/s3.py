"""A stand-in for S3 on a local socket: buckets are folders, and a key must be shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEY = "key-7"
PAGE = 2
"""Keys in one answer of a listing."""


def _listing(bucket: Path, query: dict[str, list[str]]) -> bytes:
    """Keys below a prefix, PAGE at a time."""
    prefix, after = query.get("prefix", [""])[0], query.get("continuation-token", [""])[0]
    keys = sorted(str(path.relative_to(bucket)) for path in bucket.rglob("*") if path.is_file())
    keys = [key for key in keys if key.startswith(prefix) and key > after]
    entries = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in keys[:PAGE])
    more = len(keys) > PAGE
    token = (
        f"<NextContinuationToken>{escape(keys[PAGE - 1])}</NextContinuationToken>" if more else ""
    )
    truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
    return f"<ListBucketResult>{truncated}{token}{entries}</ListBucketResult>".encode()


@contextmanager
def s3(folder: Path) -> Iterator[str]:
    """Serve the files of a folder as ``/BUCKET/PATH``; the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            path = folder / unquote(parts.path).lstrip("/")
            query = parse_qs(parts.query)
            if f"Credential={KEY}/" not in self.headers.get("Authorization", ""):
                status, body = 403, b"<Error><Code>AccessDenied</Code></Error>"
            elif "list-type" in query:
                status, body = 200, _listing(path, query)
            elif not path.is_file():
                status, body = 404, b"<Error><Code>NoSuchKey</Code></Error>"
            else:
                status, body = 200, path.read_bytes()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"1"')
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
