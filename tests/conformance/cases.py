"""Cases for pytest.mark.parametrize: scenarios in every language, gaps marked; and their runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import pytest
from conformance.gaps import GAPS
from conformance.scenarios import CSV, SCENARIOS
from support.command import Command, Done

from polyhost import errors
from polyhost.bridges import BRIDGES

Rows = list[list[object]]


def cases(names: Iterable[str]) -> list[object]:
    """``(scenario, runtime)`` for each language; a gap is a strict xfail."""
    return [
        pytest.param(name, language, marks=_marks(name, language), id=f"{name}-{language}")
        for name in names
        for language in BRIDGES
    ]


def cases_without_gaps(names: Iterable[str]) -> list[object]:
    """The same, gaps left out: for runs that share a server."""
    return [
        pytest.param(name, language, marks=_marks(name, language), id=f"{name}-{language}")
        for name in names
        for language in BRIDGES
        if (name, language) not in GAPS
    ]


def _marks(name: str, language: str) -> list[pytest.MarkDecorator]:
    gap = GAPS.get((name, language))
    return [pytest.mark.runtime(language), *([gap.mark()] if gap else [])]


def run_score(
    polyhost: Command, name: str, language: str, body: str | bytes = CSV, *flags: object
) -> Path:
    """``polyhost score`` of a scenario; the output's path, or the error that it reported."""
    scenario = SCENARIOS[name]
    data, output = polyhost.folder / "input.csv", polyhost.folder / "output"
    output.unlink(missing_ok=True)  # of an earlier run of the test
    data.write_bytes(body if isinstance(body, bytes) else body.encode())
    done = polyhost(
        *["score", "--code-dir", scenario.folder(language), "--input", data],
        *["--output", output, *scenario.target_flags, *flags],
        env=scenario.environment,
    )
    raise_told(done)
    return output


def raise_told(done: Done) -> None:
    """Raise what a command said on stderr, as the error that it is."""
    if done.code == 0:
        return
    for line in done.err.splitlines():
        prefix, _, rest = line.partition(": ")
        kind, _, message = rest.partition(": ")
        if prefix == "polyhost" and hasattr(errors, kind):
            raise getattr(errors, kind)(message, exit_code=done.code, err=done.err)
    raise AssertionError(f"exit code {done.code}\n{done.out}\n{done.err}")


def read_rows(path: Path) -> tuple[list[str], Rows]:
    """Header and rows of a CSV file; what reads as a number is one."""
    header, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    return header, [[_cell(text) for text in row] for row in rows]


def _cell(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text
