"""Start a server in a process group of its own, wait for its first good answer, and end it."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bodies import Body

START_LIMIT = 90.0


@dataclass(frozen=True)
class Server:
    """A server that answers: its process, and the seconds from its start to its first 200."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    path: str
    body: Body
    first: float

    @property
    def tree(self) -> list[int]:
        """Pids of the process and all its descendants."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    found.extend(map(int, task.read_text().split()))
        return found

    @property
    def processor_time(self) -> float:
        """Seconds of user and system time that its living processes have had."""
        ticks = 0
        for pid in self.tree:
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


class StartFailed(Exception):
    """The server ended, or did not answer in time; the text holds its last lines."""


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str],
    port: int,
    path: str,
    body: Body,
    log: Path,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A server from its start to its end."""
    # A benchmark of one server must not be one of another's tuning: nothing of ours is inherited.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("POLYHOST_")}
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**inherited, **(variables or {})},
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        _await_answer(process, port, path, body, began, log)
        yield Server(name, process, port, path, body, time.perf_counter() - began)
    finally:
        end(process)


def _await_answer(
    process: subprocess.Popen[bytes], port: int, path: str, body: Body, began: float, log: Path
) -> None:
    status, reply = 0, b""
    while time.perf_counter() - began < START_LIMIT:
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, reply = post(port, path, body, timeout=3)
            if status == 200:
                return
        if process.poll() is not None:
            raise StartFailed(f"ended with {process.returncode}: {_tail(log)}")
        time.sleep(0.01)
    raise StartFailed(f"no 200 in {START_LIMIT:g} s; last {status} {reply[:300]!r}: {_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-1500:]


def post(port: int, path: str, body: Body, timeout: float = 60) -> tuple[int, bytes]:
    """One request on a connection of its own: status and answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", path, body[1], {"Content-Type": body[0]})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to stop, then end its whole session."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            print(f"pid {process.pid} does not stop: it is killed", file=sys.stderr)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def numbers(reply: bytes) -> list[float]:
    """Every number of an answer, whatever its form."""
    return [float(text) for text in re.findall(rb"-?\d+\.\d+(?:e-?\d+)?", reply)]
