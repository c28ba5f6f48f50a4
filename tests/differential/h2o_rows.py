"""What H2O's own Java scorer answers for rows of typed cells."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from support.bodies import Column

from polyhost.bridges.java import jars

SCORER = Path(__file__).resolve().parent / "EasyScore.java"


class Scorer:
    """A process of H2O's scorer for the models of a folder."""

    def __init__(self, folder: Path, pojos: Sequence[str], work: Path) -> None:
        path = ":".join(map(str, jars.class_path()))
        sources = [SCORER, *(folder / name for name in pojos)]
        compiled = ["javac", "-nowarn", "-cp", path, "-d", work, *sources]
        subprocess.run(compiled, check=True, capture_output=True)
        self._folder, self._rows = folder, work / "rows.tsv"
        self._process = subprocess.Popen(
            ["java", "-cp", f"{path}:{work}", "EasyScore"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def answers(self, name: str, columns: Sequence[Column]) -> list[list[float]]:
        """The numbers for each row, by a MOJO of this name or a POJO (``.java``)."""
        pojo = name.endswith(".java")
        model = name[: -len(".java")] if pojo else self._folder / f"{name}.zip"
        self._rows.write_text("".join(_lines(columns)), encoding="utf-8")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{model}\t{self._rows}\n")
        found: list[list[float]] = []
        for line in self._process.stdout:
            if not line.strip():
                return found
            found.append([*map(float, line.split())])
        raise AssertionError(f"H2O's scorer ended with {self._process.wait(timeout=60)}")

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


def _lines(columns: Sequence[Column]) -> Iterator[str]:
    for row in zip(*(column.cells for column in columns), strict=True):
        yield "\t".join(_cell(c, cell) for c, cell in zip(columns, row, strict=True)) + "\n"


def _cell(column: Column, cell: Any) -> str:
    if cell is None:
        return f"{column.name}=DNaN"
    if column.kind == "category":
        return f"{column.name}=S{cell}"
    return f"{column.name}=D{milliseconds(cell)!r}"


def milliseconds(cell: Any) -> Any:
    """A time as H2O counts it; any other cell as it is."""
    if not isinstance(cell, datetime.datetime):
        return cell
    return (cell - datetime.datetime(1970, 1, 1)) / datetime.timedelta(milliseconds=1)
