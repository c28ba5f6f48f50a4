"""What a body of 2 GB does to the memory of the host process, which only passes it on."""

from __future__ import annotations

import http.client
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import servers
from memory import pss

SIZE = 2 << 30
CHUNK = bytes(1 << 20)
HOOKS = """
def load_model(code_dir):
    return "none"


def score_unstructured(model, data, **kwargs):
    return str(len(data))
"""


class Watch(threading.Thread):
    """Looks at a process's memory many times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.highest = 0.0
        self._pid = pid
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.02):
            self.highest = max(self.highest, pss(self._pid))

    def end(self) -> float:
        self._over.set()
        self.join()
        return self.highest


def report(temp: Path) -> None:
    """Print the host's memory before and during the upload."""
    folder = Path(tempfile.mkdtemp(dir=temp))
    (folder / "code").mkdir()
    (folder / "code" / "custom.py").write_text(HOOKS)
    port = servers.free_port()
    command = [sys.executable, "-m", "polyhost", "serve", str(folder / "code")]
    command += ["--port", str(port), "--target-type", "unstructured"]
    body = ("application/octet-stream", b"x")
    path = "/predictUnstructured/"
    with servers.running("upload", command, port, path, body, folder / "log") as server:
        before = pss(server.process.pid)
        watch = Watch(server.process.pid)
        watch.start()
        began = time.perf_counter()
        status, reply = _send(port, path)
        took = time.perf_counter() - began
        highest = watch.end()
    print("\n| upload of 2 GiB | host MiB before | at most, meanwhile | seconds | answer |")
    print("|---|---|---|---|---|")
    print(f"| polyhost | {before:.0f} | {highest:.0f} | {took:.1f} | {status} {reply.decode()} |")


def _send(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(SIZE)}
    connection.request("POST", path, _chunks(), headers)
    reply = connection.getresponse()
    return reply.status, reply.read(200)


def _chunks() -> Iterator[bytes]:
    for _ in range(SIZE // len(CHUNK)):
        yield CHUNK
