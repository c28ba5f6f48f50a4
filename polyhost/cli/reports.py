"""``polyhost reports``: what models reported to the local folder."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from polyhost.cli.flags import Flag, add_flags, at_least, existing_folder

FLAGS = (
    Flag(
        ("--folder",),
        "folder of the reports; POLYHOST_REPORTS, or the one that models use by themselves",
        options={"type": existing_folder, "metavar": "DIR"},
    ),
    Flag(
        ("--rows",),
        "newest reported predictions to print",
        options={"type": at_least(0), "default": 10, "metavar": "N"},
    ),
)


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("reports", help="print what models reported here")
    add_flags(parser, FLAGS)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Print the counters, then the newest rows."""
    from polyhost.pipeline.reports import folder

    place = options.folder or folder()
    totals = _totals(place)
    if not totals:
        print(f"no reports in {place}")
        return 0
    for name in sorted(totals):
        print(f"{name} {totals[name]:g}")
    frame = _newest(place, options.rows)
    if frame is not None:
        print()
        print(frame.to_string(index=False))
    return 0


def _totals(place: Path) -> Counter[str]:
    totals: Counter[str] = Counter()
    for path in sorted(place.glob("*.prom")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                totals[name] += float(value)  # type: ignore[assignment]
    return totals


def _newest(place: Path, rows: int) -> Any:
    import pandas as pd

    parts = sorted(place.glob("*.parquet"), key=lambda path: path.stat().st_mtime, reverse=True)
    frames: list[Any] = []
    for part in parts:
        if sum(map(len, frames)) >= rows:
            break
        frames.append(pd.read_parquet(part))
    if not frames or not rows:
        return None
    found = pd.concat(frames, ignore_index=True).sort_values("reported_at", kind="stable")
    found["reported_at"] = pd.to_datetime(found["reported_at"], unit="s").dt.floor("s")
    return found.tail(rows)
