"""CPU seconds that a million rows cost, by language: what docs/scaling.md reckons with.

    python benchmarks/scaling.py [LANGUAGE ...] [--rows N]

Each language's own regression model (tests/models/builtin) scores its own input, repeated, with ``polyhost score``
and one worker, twice: once a tenth of the rows, once all. The difference is what rows cost without starting.
CPU seconds (user and system, of all processes) hold on a busy machine as well; wall time does not.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

MAKERS = Path(__file__).resolve().parents[1] / "tests" / "models" / "builtin"
RUNNERS = {"python": (sys.executable,), "java": (sys.executable,), "julia": (sys.executable,)}
LANGUAGES = ("python", "java", "r", "julia")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", default=LANGUAGES)
    parser.add_argument("--rows", type=int, default=500_000)
    options = parser.parse_args()
    print("| language | columns | start, CPU s | CPU s per million rows | rows/s and core |")
    print("|---|---|---|---|---|")
    for language in options.languages:
        with tempfile.TemporaryDirectory(prefix="polyhost-scaling-") as folder:
            print(measured(language, Path(folder), options.rows), flush=True)


def measured(language: str, folder: Path, rows: int) -> str:
    (maker,) = (MAKERS / language).glob("make.*")
    runner = RUNNERS.get(language, ("Rscript",))
    made = [*runner, str(maker), "regression", str(folder)]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    header, *lines = (folder / "input.csv").read_text().splitlines()
    few, many = (scored(folder, header, lines, count) for count in (rows // 10, rows))
    per_million = (many - few) / (rows - rows // 10) * 1e6
    start = few - per_million * (rows // 10) / 1e6
    columns = len(header.split(","))
    return (
        f"| {language} | {columns} | {start:.1f} | {per_million:.1f} | {1e6 / per_million:,.0f} |"
    )


def scored(folder: Path, header: str, lines: list[str], count: int) -> float:
    """CPU seconds of scoring so many rows."""
    source = folder / f"{count}.csv"
    repeated = itertools.islice(itertools.cycle(lines), count)
    source.write_text("\n".join([header, *repeated, ""]))
    words = ["score", "--code-dir", folder / "model", "--input", source, "--workers", "1"]
    words += ["--output", folder / "out.csv", "--overwrite", "--quiet"]
    words += ["--target-type", "regression", "--chunk-rows", "50000"]
    before = used()
    subprocess.run([sys.executable, "-m", "polyhost", *map(str, words)], check=True)
    written = sum(1 for _ in (folder / "out.csv").open()) - 1
    assert written == count, f"{written} answers for {count} rows"
    return used() - before


def used() -> float:
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


if __name__ == "__main__":
    main()
