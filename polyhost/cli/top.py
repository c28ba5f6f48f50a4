"""``polyhost top``: a live view of a server in the terminal, from its ``/metrics``."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from polyhost.cli.flags import SWITCH, Flag, add_flags
from polyhost.cli.tables import aligned
from polyhost.errors import PolyhostError

CLEAR, HOME = "\x1b[2J", "\x1b[H"
TO_END_OF_LINE, BELOW = "\x1b[K", "\x1b[J"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"

HEADINGS = (
    *("MODEL", "STATE", "WORKERS", "REQ/S", "ERR/S", "P50 ms", "P99 ms"),
    *("RUNNING", "QUEUE", "BATCH", "RESTARTS", "PSS MB"),
)

Samples = dict[str, list[tuple[dict[str, str], float]]]
"""Labels and values by the name of the sample."""


class Unreachable(PolyhostError):
    """The server's metrics cannot be read."""


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.05 <= value < 3600:
        raise argparse.ArgumentTypeError(f"expected seconds from 0.05; found {text!r}")
    return value


FLAGS = (
    Flag(
        ("--url",),
        "the server to watch",
        options={"default": "http://127.0.0.1:8000", "metavar": "URL"},
    ),
    Flag(
        ("--interval",),
        "seconds between two looks",
        options={"type": _seconds, "default": 2.0, "metavar": "SECONDS"},
    ),
    Flag(("--once",), "print one view and end", options=SWITCH),
    Flag(
        ("--key-file",),
        "file that holds an API key, where the server wants one",
        options={"type": Path, "metavar": "FILE"},
    ),
)


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("top", help="watch a server's models")
    add_flags(parser, FLAGS)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Show views until interrupted; one, with ``--once``."""
    url = options.url.rstrip("/") + "/metrics"
    key = options.key_file.read_text(encoding="utf-8").strip() if options.key_file else ""
    before, since = parse(fetch(url, key)), time.monotonic()
    live = not options.once and sys.stdout.isatty()
    sys.stdout.write(HIDE_CURSOR + CLEAR if live else "")
    try:
        while True:
            time.sleep(options.interval)
            now, at = parse(fetch(url, key)), time.monotonic()
            lines = view(now, before, at - since, url)
            show(lines, live=live)
            if options.once:
                return 0
            before, since = now, at
    except KeyboardInterrupt:
        return 0
    finally:
        sys.stdout.write(SHOW_CURSOR if live else "")


def show(lines: Sequence[str], *, live: bool) -> None:
    """Print a view; in a terminal over the last one, and no larger than it."""
    if live:
        width, height = shutil.get_terminal_size()
        shown = [line[:width] + TO_END_OF_LINE for line in lines[: height - 1]]
        sys.stdout.write(HOME + "\n".join(shown) + "\n" + BELOW)
    else:
        sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def fetch(url: str, key: str = "") -> str:
    """The text of the metrics."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url)
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        with opener.open(request, timeout=10) as reply:
            return str(reply.read().decode("utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Unreachable(
            f"no metrics at {url}: {reason}. Give the address of a running server with --url."
        ) from error


def parse(text: str) -> Samples:
    """The samples of the Prometheus text format; Unreachable where it is something else."""
    from prometheus_client.parser import text_string_to_metric_families

    found: Samples = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    except ValueError as error:
        raise Unreachable(
            f"what this address answers is not metrics: {error}. Give that of a polyhost server."
        ) from error
    return found


@dataclass(frozen=True)
class Change:
    """Two looks at the same server, ``seconds`` apart."""

    now: Samples
    before: Samples
    seconds: float

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        return _sum(self.now, name, labels)

    def rate(self, name: str, **labels: str) -> float:
        """What a counter grew by in a second; a server that was started again counts from 0."""
        grown = _sum(self.now, name, labels) - _sum(self.before, name, labels)
        return max(0.0, grown) / self.seconds

    def quantile(self, q: float, name: str, **labels: str) -> float | None:
        """Of what a histogram counted in between, by a straight line within the bucket."""
        counts = self._grown(name, labels)
        if not counts or counts[-1][1] <= 0:
            return None
        wanted = q * counts[-1][1]
        for (low, below), (high, up_to) in pairwise([(0.0, 0.0), *counts]):
            if up_to >= wanted and up_to > below:
                if high == float("inf"):
                    return low
                return low + (high - low) * (wanted - below) / (up_to - below)
        return None

    def mean(self, name: str, **labels: str) -> float | None:
        """The mean of what a histogram counted in between."""
        count = self.rate(f"{name}_count", **labels)
        return self.rate(f"{name}_sum", **labels) / count if count else None

    def _grown(self, name: str, labels: Mapping[str, str]) -> list[tuple[float, float]]:
        now, before = (_buckets(look, name, labels) for look in (self.now, self.before))
        return [(bound, now[bound] - before.get(bound, 0.0)) for bound in sorted(now)]


def _sum(samples: Samples, name: str, labels: Mapping[str, str]) -> float:
    return sum(value for found, value in samples.get(name, ()) if labels.items() <= found.items())


def _buckets(samples: Samples, name: str, labels: Mapping[str, str]) -> dict[float, float]:
    found: dict[float, float] = {}
    for pairs, value in samples.get(f"{name}_bucket", ()):
        if labels.items() <= pairs.items():
            bound = float(pairs["le"])
            found[bound] = found.get(bound, 0.0) + value
    return found


def view(now: Samples, before: Samples, seconds: float, title: str) -> list[str]:
    """The lines to show: one for the host, one a model."""
    change = Change(now, before, seconds)
    host = change.value("polyhost_host_pss_bytes") / 1e6
    held = change.value("polyhost_bodies_held_bytes") / 1e6
    rate = change.rate("polyhost_requests_total")
    head = f"{title}  {rate:.1f} requests/s  host {host:.0f} MB  bodies held {held:.1f} MB"
    states = {
        (labels["model"], labels.get("version", "")): labels["state"]
        for labels, value in now.get("polyhost_model_state", ())
        if value
    }
    versions = [model for model, _ in states]
    rows = [
        _row(change, model if versions.count(model) == 1 else f"{model} {version}", model, state)
        for (model, version), state in sorted(states.items())
    ]
    return [head, "", *aligned([HEADINGS, *rows], right_from=2)]


def _row(change: Change, shown: str, model: str, state: str) -> tuple[str, ...]:
    requests = "polyhost_requests_total"
    errors = sum(
        change.rate(requests, model=model, code=labels["code"])
        for labels, _ in _codes(change.now, requests, model)
    )
    times = [change.quantile(q, "polyhost_request_seconds", model=model) for q in (0.5, 0.99)]
    batch = change.mean("polyhost_batch_size", model=model)
    ready, wanted = (change.value(f"polyhost_workers_{what}", model=model) for what in _WORKERS)
    return (
        shown,
        state,
        f"{ready:.0f}/{wanted:.0f}",
        f"{change.rate(requests, model=model):.1f}",
        f"{errors:.1f}",
        *("-" if value is None else f"{value * 1e3:.2f}" for value in times),
        f"{change.value('polyhost_in_progress', model=model):.0f}",
        f"{change.value('polyhost_queue_depth', model=model):.0f}",
        "-" if batch is None else f"{batch:.1f}",
        f"{change.value('polyhost_worker_restarts_total', model=model):.0f}",
        f"{change.value('polyhost_worker_pss_bytes', model=model) / 1e6:.0f}",
    )


_WORKERS = ("ready", "wanted")


def _codes(samples: Samples, name: str, model: str) -> Iterable[tuple[dict[str, str], float]]:
    """Samples of failed requests, one a code."""
    found = {
        labels["code"]: (labels, value)
        for labels, value in samples.get(name, ())
        if labels["model"] == model and int(labels["code"]) >= 400
    }
    return found.values()
