"""Models that each language's own tool makes, with the tool's own predictions."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from conformance.scenarios import BUILTIN, MODELS


@dataclass(frozen=True)
class Made:
    """One model with an input and the native predictions of it."""

    scenario: str
    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def input(self) -> Path:
        return self.folder / "input.csv"

    @cached_property
    def expected(self) -> tuple[list[str], list[list[float]]]:
        header, rows = _read(self.folder / "expected.csv")
        return header, [[float(cell or "nan") for cell in row] for row in rows]

    @property
    def target_flags(self) -> list[str]:
        labels = self.expected[0]
        if self.scenario == "binary":
            names = ("--negative-class-label", labels[0], "--positive-class-label", labels[1])
        elif self.scenario == "multiclass":
            names = ("--class-labels", *labels)
        else:
            names = ()
        return ["--target-type", self.scenario, *names]

    def with_metadata(self) -> Path:
        """The model's folder, which says its own target type afterwards."""
        path = self.model / "model-metadata.yaml"
        if path.exists():
            return self.model
        lines = ["name: made", "type: inference", f"targetType: {self.scenario}"]
        labels = [f'"{label}"' for label in self.expected[0]]
        if self.scenario == "binary":
            lines += ["inferenceModel:", f"  negativeClassLabel: {labels[0]}"]
            lines += [f"  positiveClassLabel: {labels[1]}"]
        elif self.scenario == "multiclass":
            lines += ["inferenceModel:", "  classLabels:", *(f"    - {x}" for x in labels)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return self.model


def add_hooks(folder: Path, language: str) -> None:
    """Put the hooks of ``tests/models/README.md`` around the built-in predict of a code dir."""
    (hooks,) = (MODELS / "builtin" / language / "hooks").glob("[Cc]ustom.*")
    custom = folder / hooks.name
    body = hooks.read_text(encoding="utf-8")
    if custom.exists():  # a module with the model's types: the hooks go in before its end
        types = custom.read_text(encoding="utf-8").rstrip().removesuffix("end")
        body = f"{types}\n{body}\nend\n"
    custom.write_text(body, encoding="utf-8")


def displace(path: Path) -> bytes:
    """An input whose first column is zeros and whose values stand in a last one, ``spare``."""
    header, rows = _read(path)
    table = [[*header, "spare"], *(["0", *row[1:], row[0]] for row in rows)]
    return "".join(f"{','.join(row)}\n" for row in table).encode()


def copy_builtin(made: Path, into: Path) -> dict[str, Made]:
    """Every scenario of ``BUILTIN``, copied from the folder of a language's maker."""
    for name in BUILTIN:
        shutil.copytree(made / name, into / name)
    return {name: Made(name, into / name) for name in BUILTIN}


def without_column(path: Path, position: int) -> tuple[str, bytes]:
    """Name of a column of a CSV file, and the file without it."""
    import io

    header, rows = _read(path)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in (header, *rows):
        writer.writerow(row[:position] + row[position + 1 :])
    return header[position], out.getvalue().encode()


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows
