"""polyhost against its peers: speed, starts and memory, in one run. Prints Markdown.

    python benchmarks/serving/environments.py
    python benchmarks/serving/run.py [--parts rates,tables,...] [--rounds 5] [--seconds 2]

Everything runs on this machine and over the loopback; servers of one table run at the same time and
take turns. Figures are medians over the rounds with their range. Needs ``wrk``.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import environments
import languages
import memory
import models
import rates
import upload
from peers import PEERS

WITH_TABLES = ("polyhost", "bare", "bare-frame")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default=",".join(RUN))
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument(
        "--trained", default=",".join(models.WIDTHS), help="which of the two models"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--models", default="1,11,51", help="how many in one server, in turn")
    options = parser.parse_args()
    parts = options.parts.split(",")
    unknown = sorted(set(parts) - set(RUN)) or sorted(set(options.peers.split(",")) - set(PEERS))
    if unknown or shutil.which("wrk") is None:
        found = f"unknown: {', '.join(unknown)}" if unknown else "wrk is not installed"
        print(
            f"{found}; expected parts of {tuple(RUN)} and peers of {tuple(PEERS)}", file=sys.stderr
        )
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every server is ended, too
    names = present(options.peers.split(","))
    began = time.monotonic()
    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}, ", end="")
    print(f"Python {platform.python_version()}; load before: {os.getloadavg()[0]:.2f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="polyhost-bench-") as folder:
        failed = work(parts, names, Path(folder), options)
    print(f"\n{time.monotonic() - began:.0f} s in all; load after: {os.getloadavg()[0]:.2f}")
    return 1 if failed else 0


def present(names: list[str]) -> list[str]:
    """The peers that are installed; the others are named with the reason."""
    found = []
    for name in names:
        environment = PEERS[name].environment
        if environment and not environments.python_of(environment).exists():
            print(f"{name} is left out: {environments.why_missing(environment)}")
        else:
            found.append(name)
    return found


def work(parts: list[str], names: list[str], temp: Path, options: argparse.Namespace) -> int:
    """Every part that was asked for; one that fails is told, and the others go on."""
    failed = 0
    for part in parts:
        try:
            RUN[part](names, temp, options)
        except Exception as error:
            failed += 1
            print(f"\n{part} failed: {type(error).__name__}: {error}", flush=True)
    return failed


def run_rates(names: list[str], temp: Path, options: argparse.Namespace) -> None:
    for model in options.trained.split(","):
        print(f"\n### {model}, {models.WIDTHS[model]} columns", flush=True)
        with rates.contenders(names, model, temp) as running:
            found = (f"{server.name} {server.first:.1f} s" for server in running)
            print(f"\nfirst 200 after: {', '.join(found)}", flush=True)
            rates.one_row(running, options.rounds, options.seconds, temp, "bare", "polyhost")
            tabular = [server for server in running if server.name in WITH_TABLES]
            rates.tables(tabular, model, options.rounds)


RUN: dict[str, Callable[[list[str], Path, argparse.Namespace], None]] = {
    "rates": run_rates,
    "start": lambda names, temp, options: memory.one_model(names, temp, options.starts),
    "many": lambda _, temp, options: memory.many_models(
        [int(count) for count in options.models.split(",")], temp
    ),
    "upload": lambda _, temp, options: upload.report(temp),
    "languages": lambda _, temp, options: languages.report(temp, options.rounds, options.seconds),
}


if __name__ == "__main__":
    sys.exit(main())
