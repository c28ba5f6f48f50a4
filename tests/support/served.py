"""A server in another process, on a real socket; stopping it looks for what it left behind."""

from __future__ import annotations

import contextlib
import itertools
import signal
import subprocess
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx
import psutil
from support.command import POLYHOST, clean_environment

READY_WITHIN = 240.0
STOPS_WITHIN = 30.0
CLIENTS_LEAVE_WITHIN = 20.0
"""A client that was refused may linger."""
FRONTS_EVERY = 8
"""Of so many looks for its port, one is at its children too: finding those reads every process."""
ANY_PORT = "127.0.0.1:0"
"""An address whose port the system chooses."""


@dataclass
class Served:
    """A running server. ``out`` and ``err`` are the files that it prints to."""

    process: subprocess.Popen[bytes]
    folder: Path
    exit_code: int = 0

    @classmethod
    def start(
        cls,
        folder: Path,
        *arguments: object,
        command: str = "serve",
        env: dict[str, str] | None = None,
        wait: bool = True,
    ) -> Served:
        """Start and, unless told otherwise, wait until every model is ready."""
        where = ["--port", 0] if command == "serve" else ["--address", ANY_PORT]
        words = [*POLYHOST, command, *map(str, [*arguments, *where])]
        with open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
            process = subprocess.Popen(
                words,
                cwd=folder,
                env=clean_environment(folder, **(env or {})),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        served = cls(process, folder, 0 if command == "serve" else 130)
        if wait:
            served.wait_answering()
        return served

    @cached_property
    def port(self) -> int:
        """The port that the system gave it; AssertionError when it ends before it listens."""
        until = time.monotonic() + READY_WITHIN
        for look in itertools.count():
            if time.monotonic() > until or self.process.poll() is not None:
                break
            with contextlib.suppress(psutil.Error):  # a child may end meanwhile
                host = psutil.Process(self.process.pid)
                fronts = [] if look % FRONTS_EVERY else host.children(recursive=True)
                for process in (host, *fronts):
                    for found in process.net_connections("tcp"):
                        if found.status == psutil.CONN_LISTEN:
                            return int(found.laddr.port)
            time.sleep(0.03)
        self.kill()
        raise AssertionError(f"it never listened\n{self.out}\n{self.err}")

    @cached_property
    def client(self) -> httpx.Client:
        """A client of this server; it keeps no connection open, so that stopping waits for none."""
        limits = httpx.Limits(max_keepalive_connections=0)
        url = f"http://127.0.0.1:{self.port}"
        return httpx.Client(base_url=url, timeout=60, limits=limits, trust_env=False)

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text(errors="replace")

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text(errors="replace")

    def wait_answering(self, path: str = "/health/", status: int = 200) -> None:
        """Return when ``path`` answers with ``status``; AssertionError when it never does."""
        until = time.monotonic() + READY_WITHIN
        last, pause = "no answer", 0.02
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                reply = self.client.get(path)
                if reply.status_code == status:
                    return
                last = f"{reply.status_code} {reply.text}"
            time.sleep(pause)
            pause = min(2 * pause, 0.2)
        self.kill()
        raise AssertionError(f"GET {path} was never {status}: {last}\n{self.out}\n{self.err}")

    def post(self, path: str, body: bytes | str, content_type: str = "text/csv") -> httpx.Response:
        """One request with a raw body."""
        return self.client.post(path, content=body, headers={"Content-Type": content_type})

    def get(self, path: str) -> httpx.Response:
        """One request without a body."""
        return self.client.get(path)

    def serving(self) -> list[psutil.Process]:
        """The host, and with several fronts those too, and the process that forks them."""
        host = psutil.Process(self.process.pid)
        found = [host]
        for child in host.children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it may end meanwhile
                if any(c.status == psutil.CONN_LISTEN for c in child.net_connections("tcp")):
                    found.append(child)
        return found

    def descriptors(self) -> int:
        """How many it holds open, once no client is connected: it sees one leave a moment late."""
        until = time.monotonic() + CLIENTS_LEAVE_WITHIN
        serving = self.serving()
        while any(
            found.status != psutil.CONN_LISTEN
            for process in serving
            for found in process.net_connections("tcp")
        ):
            assert time.monotonic() < until, "clients are still connected"
            time.sleep(0.02)
        return sum(process.num_fds() for process in serving)

    def stop(self) -> None:
        """Ask it to end as a service manager does; check its exit code and for leftovers."""
        if "client" in vars(self):
            self.client.close()
        if self.process.poll() is None:
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"did not stop in {STOPS_WITHIN} s\n{self.err}") from None
            _, alive = psutil.wait_procs(family, timeout=2)
            assert not alive, f"processes left running: {alive}"
            assert code == self.exit_code, f"exit code {code}\n{self.err}"
        left = sorted(path.name for path in (self.folder / "tmp").iterdir())
        assert not left, f"temporary files left: {left}"

    def kill(self) -> None:
        """End it and its processes at once."""
        if self.process.poll() is None:
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            self.process.wait()
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
