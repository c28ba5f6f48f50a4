"""``polyhost perf-test``: how long a served model takes, by the size of the request."""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from polyhost.cli.dataset import Rows
from polyhost.cli.flags import SWITCH, Flag, add_flags, at_least, flags_of, register
from polyhost.cli.guarded import term_interrupts
from polyhost.cli.options import as_words, check_labels, refuse_unserved, spoken
from polyhost.cli.report import progress
from polyhost.cli.server import PERF_TEST_MARK
from polyhost.cli.tables import render
from polyhost.cli.verify import target_type, verify
from polyhost.data.target import TargetType
from polyhost.errors import PolyhostError, WorkerStartTimeout, WrongOptions

_SHARED = (
    *("code_dir", "target_type", "positive_class_label", "negative_class_label", "class_labels"),
    *("class_labels_file", "language", "max_workers", "production", "show_stacktrace", "verbose"),
    *("query", "content_type", "docker", "memory", "skip_deps_install", "runtime_params_file"),
)
SERVER_FLAGS = tuple(flag for flag in flags_of("server") if flag.dest in _SHARED)
_COUNT = {"type": at_least(1), "metavar": "N"}
FLAGS = (
    *(flag for flag in flags_of("score") if flag.dest == "input"),
    *SERVER_FLAGS,
    Flag(("-s", "--samples"), "rows of a request; one case is run, not four", options=_COUNT),
    Flag(("-i", "--iterations"), "requests of that case", options=_COUNT),
    Flag(
        ("--timeout",),
        "seconds that a case may take",
        options={**_COUNT, "default": 600},
    ),
    Flag(("--in-server",), "print the time that the server took by itself, too", options=SWITCH),
    Flag(("--url",), "accepted for old scripts", options={"metavar": "URL"}),
)
register("perf-test", FLAGS)

MB = 1 << 20
CASES = ((1, None, 100), (None, 0.1 * MB, 50), (None, 10 * MB, 5), (None, 50 * MB, 1))
"""Rows or bytes of a request, and how many requests."""
PERCENTILES = (50, 95, 99)
START_WITHIN = 600.0
UNKNOWN, FAIL = "NA", "Fail"
USED = "used (MB)"
"""Of the server's processes; in a container with a limit: its use, the most of it, the limit."""
BOUNDARY = "polyhost-perf-test"


@dataclass(frozen=True)
class Case:
    """Requests of one size."""

    rows: int
    iterations: int
    body: bytes


@dataclass(frozen=True)
class Server:
    """A running server: where it listens, and what goes before its routes."""

    port: int
    prefix: str

    def ask(
        self, method: str, path: str, body: bytes | None = None, timeout: float = 10.0
    ) -> tuple[int, bytes]:
        """Status and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            kind = f"multipart/form-data; boundary={BOUNDARY}"
            headers = {"Content-Type": kind} if body is not None else {}
            connection.request(method, self.prefix + path, body, headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()


class CaseFailed(PolyhostError):
    """A case did not come to its end."""


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("perf-test", help="measure how long a served model takes")
    add_flags(parser, FLAGS)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Serve the model, ask it, print the table; 1 when no case came to its end."""
    check_labels(options.parser, options)
    kind = target_type(options)
    if kind in (TargetType.UNSTRUCTURED.value, TargetType.TRANSFORM.value):
        raise WrongOptions(f"perf-test measures predictions: target type {kind} has none.")
    verify(options)
    refuse_unserved(options, FLAGS)
    cases = list(_cases(options))
    with term_interrupts(), _serving(options) as server:
        rows = [_row(server, case, options) for case in cases]
    headings = [*("size", "samples", "iters", "min (s)", "avg (s)", "max (s)", "total (s)")]
    headings += [*(f"p{share} (s)" for share in PERCENTILES), "rows/s"]
    if options.in_server:
        headings.append("in-server avg (s)")
    print(render([*headings, USED, "total physical (MB)"], rows))
    return int(all(FAIL in row for row in rows))


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    rows = Rows.read(options.input.read_bytes())
    if not rows.cells:
        raise WrongOptions(f"no rows in {options.input}: expected a CSV file with a header.")
    if options.samples or options.iterations:
        samples = options.samples or len(rows.cells)
        yield Case(samples, options.iterations or 1, _multipart(rows.repeated(samples)))
        return
    for count, size, iterations in CASES:
        samples = count or rows.rows_for(size or 1)
        yield Case(samples, iterations, _multipart(rows.repeated(samples)))


def _multipart(body: bytes) -> bytes:
    head = 'Content-Disposition: form-data; name="X"; filename="X.csv"\r\nContent-Type: text/csv'
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + body + f"\r\n--{BOUNDARY}--\r\n".encode()


def _row(server: Server, case: Case, options: argparse.Namespace) -> list[str]:
    """The line of a case in the table; a case that fails is reported and marked."""
    size = f"{len(case.body) / MB:.4g} MB"
    start = [size, str(case.rows), str(case.iterations)]
    try:
        seconds = _measure(server, case, options.timeout)
        middle = [f"{s:.4f}" for s in (min(seconds), sum(seconds) / len(seconds), max(seconds))]
        middle.append(f"{sum(seconds):.3f}")
        middle += [f"{percentile(seconds, share):.4f}" for share in PERCENTILES]
        middle.append(f"{case.rows * len(seconds) / sum(seconds):.0f}")
    except (CaseFailed, OSError, http.client.HTTPException) as error:
        progress("")
        print(f"polyhost: {size}, {case.rows} rows: {error}", file=sys.stderr)
        middle = [FAIL] * (5 + len(PERCENTILES))
    progress("")
    return [*start, *middle, *_stats(server, options.in_server)]


def percentile(seconds: list[float], share: int) -> float:
    """The least time that ``share`` percent of the requests did not exceed."""
    return sorted(seconds)[max(0, math.ceil(share * len(seconds) / 100) - 1)]


def _measure(server: Server, case: Case, timeout: float) -> list[float]:
    """Seconds of each request; every answer is counted."""
    until = time.monotonic() + timeout
    seconds = []
    for i in range(case.iterations):
        progress(f"{case.rows} rows: request {i + 1} of {case.iterations}")
        left = until - time.monotonic()
        if left <= 0:
            raise CaseFailed(f"not done within {timeout:g} s. Give a longer --timeout.")
        started = time.perf_counter()
        status, answer = server.ask("POST", "/predict/", case.body, left)
        seconds.append(time.perf_counter() - started)
        if status != 200:
            raise CaseFailed(f"status {status}: {answer[:500].decode('utf-8', 'replace').strip()}")
        found = len(json.loads(answer)["predictions"])
        if found != case.rows:
            raise CaseFailed(f"expected {case.rows} predictions; found {found}.")
    return seconds


def _stats(server: Server, in_server: bool) -> list[str]:
    """Time and memory as the server reports them."""
    try:
        stats = json.loads(server.ask("GET", "/stats/")[1])
        memory, times = stats["mem_info"], stats["time_info"]["run_predictor_total"]
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return [UNKNOWN] * (3 if in_server else 2)
    shown = [_number(times["avg"], 3)] if in_server else []
    used = _number(memory["drum_rss"], 1)
    limit = memory.get("container_limit")
    if limit is not None and limit < memory["total"]:  # a limit beyond it is none
        keys = ("container_used", "container_max_used", "container_limit")
        used = "/".join(_number(memory.get(key), 1) for key in keys)
    return [*shown, used, _number(memory["total"], 1)]


def _number(value: float | None, places: int) -> str:
    return UNKNOWN if value is None else f"{value:.{places}f}"


# The server


@contextmanager
def _serving(options: argparse.Namespace) -> Iterator[Server]:
    """The model behind ``polyhost server`` on a free port; stopped at the end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    words = as_words(spoken(options, SERVER_FLAGS), SERVER_FLAGS)
    address = ["--address", f"localhost:{port}", "--show-perf"]
    environment = {**os.environ, PERF_TEST_MARK: "1"}
    environment.pop("WITH_ERROR_SERVER", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "polyhost", "server", *words, *address],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=True,  # a Ctrl+C is ours to hand on
    )
    try:
        server = Server(port, options.environment.get("URL_PREFIX", ""))
        _wait(server, process)
        yield server
    finally:
        _stop(process)


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_WITHIN
    progress("starting the server")
    while time.monotonic() < until:
        if process.poll() is not None:
            raise CaseFailed(
                f"the server ended with status {process.returncode} before it answered: its "
                "reason is above."
            )
        with suppress(OSError, http.client.HTTPException):  # not listening yet
            if server.ask("GET", "/")[0] == 200:
                return
        time.sleep(0.1)
    raise WorkerStartTimeout(f"the server did not answer GET / within {START_WITHIN:g} s.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, wait, kill, reap."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
