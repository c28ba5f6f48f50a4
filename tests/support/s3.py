"""A stand-in for S3 on a local socket: buckets are folders, and a key must be shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KEY = "key-7"


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
            path = folder / self.path.split("?")[0].lstrip("/")
            if f"Credential={KEY}/" not in self.headers.get("Authorization", ""):
                status, body = 403, b"<Error><Code>AccessDenied</Code></Error>"
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
