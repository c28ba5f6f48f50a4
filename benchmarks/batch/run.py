"""Batch scoring beside other ways to do the same, in one run: ``run.py [--rows N] [--rounds N]``.

Peers take turns, round by round; every figure is a median, and what is compared is of one run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import measured
import models
from peers import CACHE, Peer, peers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--languages", nargs="+", default=["python", "java", "r"])
    options = parser.parse_args()
    folder = CACHE / f"batch-{options.rows}"
    models.make(folder, options.rows)
    found = [
        peer
        for peer in peers()
        if peer.language in options.languages and (folder / peer.language).exists()
    ]
    costs: dict[Peer, list[measured.Cost]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="polyhost-batch-") as place:
        for _ in range(options.rounds):
            for peer in found:
                ending = "parquet" if "to Parquet" in peer.name else "csv"
                output = Path(place) / f"answers.{ending}"
                output.unlink(missing_ok=True)
                command = peer.command(folder, output)
                try:
                    costs[peer].append(measured.run(command, Path(place), {}))
                except (RuntimeError, OSError) as error:  # the others go on
                    print(f"{peer.name}: {error}", file=sys.stderr)
    print(f"{options.rows:,} rows, {options.rounds} round(s)\n")
    print("| language | | seconds | CPU seconds | peak MB |")
    print("|---|---|---|---|---|")
    for peer in costs:
        seconds, cpu, memory = (
            statistics.median(getattr(cost, name) for cost in costs[peer])
            for name in ("seconds", "cpu", "memory")
        )
        row = (peer.language, peer.name, f"{seconds:.1f}", f"{cpu:.1f}", f"{memory / 1e6:.0f}")
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
