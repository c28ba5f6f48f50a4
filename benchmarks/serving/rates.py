"""One-row requests a second with latencies, and 10,000-row bodies, all servers interleaved."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import bodies
import load
import models
import servers
from peers import PEERS, Peer
from servers import Server

ROWS = 10_000
REQUESTS = 15
"""Large bodies of one kind in one round."""


@contextlib.contextmanager
def contenders(names: Sequence[str], model: str, temp: Path) -> Iterator[list[Server]]:
    """Every peer that can be started, serving its own training of one model."""
    with contextlib.ExitStack() as stack:
        found: list[Server] = []
        for name in names:
            with contextlib.suppress(servers.StartFailed):
                found.append(stack.enter_context(started(PEERS[name], model, temp)))
        yield found


@contextlib.contextmanager
def started(peer: Peer, model: str, temp: Path) -> Iterator[Server]:
    """One peer with its model, its answer compared with the model's own prediction."""
    folder = Path(tempfile.mkdtemp(prefix=f"{peer.name}-", dir=temp))
    train = [peer.python, str(Path(models.__file__)), str(folder)]
    subprocess.run(train, check=True)
    here, port = folder / model, servers.free_port()
    start = peer.prepare(here, port)
    body = peer.row(model, models.data(model, 1))
    # One thread of OpenMP for everybody: with more, those that predict in several threads at once
    # spend their time waiting for each other, and the comparison would be of that alone.
    variables = {"OMP_NUM_THREADS": "1", **start.variables}
    log = here / "server.log"
    try:
        with servers.running(
            peer.name, start.command, port, peer.path, body, log, variables
        ) as server:
            _check(server, json.loads((here / "expected.json").read_text()))
            yield server
    except servers.StartFailed as error:
        print(f"{peer.name} cannot be started: {error}", file=sys.stderr)
        raise


def _check(server: Server, expected: list[float]) -> None:
    _, reply = servers.post(server.port, server.path, server.body)
    found = servers.numbers(reply)
    if not any(math.isclose(value, expected[1], abs_tol=1e-9) for value in found):
        raise SystemExit(f"{server.name} is wrong: expected {expected}; found {reply[:300]!r}")


# One row


def one_row(
    running: Sequence[Server], rounds: int, seconds: int, temp: Path, base: str, ours: str
) -> None:
    """Print a table for each number of connections; ratios are ours to the base's, by round."""
    scripts = {server.name: load.script(server, temp) for server in running}
    for server in running:
        load.run(server, 16, 1, scripts[server.name])
    for connections in load.CONNECTIONS:
        samples: dict[str, list[load.Sample]] = {server.name: [] for server in running}
        for _ in range(rounds):
            for server in running:
                sample = load.run(server, connections, seconds, scripts[server.name])
                samples[server.name].append(sample)
        _print_rates(connections, samples, base, ours)


def _print_rates(
    connections: int, samples: dict[str, list[load.Sample]], base: str, ours: str
) -> None:
    print(f"\n| {connections} connection(s) | requests/s | p50 ms | p99 ms | CPU us | failed |")
    print("|---|---|---|---|---|---|")
    for name, found in samples.items():
        cells = [
            load.spread([sample.rate for sample in found], "{:.0f}"),
            load.spread([sample.p50 for sample in found]),
            load.spread([sample.p99 for sample in found]),
            load.spread([sample.cpu for sample in found], "{:.0f}"),
        ]
        print(f"| {name} | {' | '.join(cells)} | {sum(sample.failed for sample in found)} |")
    if base in samples and ours in samples:
        pairs = [
            load.ratios(
                [getattr(s, what) for s in samples[ours]], [getattr(s, what) for s in samples[base]]
            )
            for what in ("rate", "p50", "p99", "cpu")
        ]
        print(f"| {ours} / {base} | {' | '.join(map(load.spread, pairs))} | |", flush=True)


# Many rows


def tables(running: Sequence[Server], model: str, rounds: int) -> None:
    """Print the milliseconds of one 10,000-row body after the other on one connection."""
    rows = models.data(model, ROWS, seed=2)
    print(f"\n| {ROWS:,} rows | JSON ms | CSV ms | failed |\n|---|---|---|---|")
    times: dict[tuple[str, str], list[float]] = {}
    failed = dict.fromkeys((server.name for server in running), 0)
    forms = {"json": bodies.split(model, rows), "csv": bodies.csv(model, rows)}
    for _ in range(rounds):
        for server in running:
            for form, body in forms.items():
                milliseconds, bad = _posts(server, body)
                times.setdefault((server.name, form), []).append(milliseconds)
                failed[server.name] += bad
    for server in running:
        cells = [load.spread(times[server.name, form]) for form in forms]
        print(f"| {server.name} | {' | '.join(cells)} | {failed[server.name]} |")
    compared = [load.ratios(times["polyhost", form], times["bare", form]) for form in forms]
    print(f"| polyhost / bare | {' | '.join(map(load.spread, compared))} | |", flush=True)


def _posts(server: Server, body: bodies.Body) -> tuple[float, int]:
    """Median milliseconds of some requests on one connection, and how many failed."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    took, failed = [], 0
    for _ in range(REQUESTS):
        began = time.perf_counter()
        connection.request("POST", server.path, body[1], {"Content-Type": body[0]})
        reply = connection.getresponse()
        data = reply.read()
        took.append((time.perf_counter() - began) * 1e3)
        failed += reply.status != 200 or len(servers.numbers(data)) < ROWS
    connection.close()
    return statistics.median(took[1:]), failed
