"""``polyhost validation``: whether a model can be trusted with data as it comes.

The model is loaded once, in a worker of its own, and asked again and again.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyhost.cli import docker
from polyhost.cli.dataset import Rows
from polyhost.cli.flags import SWITCH, Flag, add_flags, flags_of, register
from polyhost.cli.guarded import term_interrupts
from polyhost.cli.options import (
    check_labels,
    export_settings,
    fetch_files,
    model_spec,
    refuse_unserved,
)
from polyhost.cli.report import progress
from polyhost.cli.tables import render
from polyhost.cli.verify import verify
from polyhost.errors import PolyhostError
from polyhost.files.replace import write_whole

if TYPE_CHECKING:
    from polyhost.data.payload import Payload
    from polyhost.embed.model import LoadedModel
    from polyhost.predictor import ModelSpec

_SHARED = (
    *("code_dir", "input", "target_type", "positive_class_label", "negative_class_label"),
    *("class_labels", "class_labels_file", "language", "show_stacktrace", "query"),
    *("content_type", "docker", "memory", "skip_deps_install", "runtime_params_file"),
    "lazy_loading_file",
)
FLAGS = (
    *(flag for flag in flags_of("score") if flag.dest in _SHARED),
    Flag(
        ("--exit-zero",),
        "end with 0 when a check fails too, as DRUM does",
        options=SWITCH,
    ),
)
register("validation", FLAGS)

PASSED, FAILED = "PASSED", "FAILED"
PREFIX = "drum_validation_checks_"
RTOL, ATOL = 1e-3, 1e-6
"""How far two predictions of the same row may be apart: a batch's shape changes the last bits."""


BASIC, NULL_VALUES = "Basic batch prediction", "Null value imputation"


@dataclass(frozen=True)
class Check:
    """What one check found; ``details`` are empty when it passed."""

    name: str
    details: str = ""

    @property
    def status(self) -> str:
        """As the report has it."""
        return FAILED if self.details else PASSED


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        "validation", help="check that a model copes with missing values and has no side effects"
    )
    add_flags(parser, FLAGS)
    parser.set_defaults(
        run=run,
        parser=parser,
        sparse_column_file=None,
        strict_rows=False,
        delimiter=",",
        charset=None,
    )


def run(options: argparse.Namespace) -> int:
    """Make the checks, print the report; 1 when one failed."""
    check_labels(options.parser, options)
    verify(options)
    refuse_unserved(options, FLAGS)
    if options.docker:
        code = docker.run(options, FLAGS)
    else:
        with term_interrupts():
            code = _validate(options)
    return 0 if options.exit_zero and code == 1 else code


def _validate(options: argparse.Namespace) -> int:
    export_settings(options)
    fetch_files(options)
    spec = model_spec(options)
    kept = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        checks = _checks(options, spec, kept)
    finally:
        if not any(kept.iterdir()):
            shutil.rmtree(kept)
    progress("")
    print("Validation checks results")
    rows = [(check.name, check.status, check.details) for check in checks]
    print(render(("Test case", "Status", "Details"), rows))
    if kept.exists():
        print(f"Datasets that failed are in {kept}")
    return int(any(check.details for check in checks))


def _checks(options: argparse.Namespace, spec: ModelSpec, kept: Path) -> list[Check]:
    from polyhost.cli.score import read_payload
    from polyhost.embed.worker_model import BackgroundModel

    payload = read_payload(options, spec)
    before = _files(spec.code_dir)
    try:
        model = BackgroundModel(spec)
    except PolyhostError as error:
        return _all_failed(error)
    with model:
        asked = Asked(model, spec)
        try:
            whole = asked.frame(payload)
        except PolyhostError as error:
            return _all_failed(error)
        checks = [Check(BASIC)]
        if payload.mimetype == "text/csv" and whole is not None:
            table = Rows.read(payload.bytes())
            checks.append(_null_values(asked, table, kept))
            checks.append(_consistency(asked, payload, table, whole))
        checks.append(_unchanged(before, _files(spec.code_dir)))
    return checks


def _all_failed(error: PolyhostError) -> list[Check]:
    """What a model that does not predict its whole input fails at."""
    return [
        Check(BASIC, _told(error)),
        Check(NULL_VALUES, "not tried: the model does not predict the input as it is"),
    ]


def _told(error: PolyhostError) -> str:
    return f"{error.kind}: {error.message}"


@dataclass(frozen=True)
class Asked:
    """The loaded model, asked in the way of its target type."""

    model: LoadedModel
    spec: ModelSpec

    def frame(self, payload: Payload) -> Any:
        """Predictions as a DataFrame; None of a model whose answers are not a table."""
        from polyhost.data.target import TargetType

        kind = self.spec.target.type
        if kind is TargetType.UNSTRUCTURED:
            charset = f"; charset={payload.charset}" if payload.charset else ""
            self.model.answer(
                payload.bytes(),
                content_type=f"{payload.mimetype}{charset}",
                query=dict(payload.query),
            )
            return None
        if kind is TargetType.TRANSFORM:
            return self.model.transform(payload.bytes())
        if payload.mimetype == "text/csv":
            return self.model.predict(payload.bytes())
        return self.model._predict(payload).together().to_pandas()

    def csv(self, rows: Rows) -> Any:
        """Predictions of rows of text."""
        from polyhost.data.payload import Payload

        return self.frame(Payload(rows.encoded(), "text/csv"))


def _null_values(asked: Asked, rows: Rows, kept: Path) -> Check:
    """Predict with each column blanked in turn; columns that fail alike are listed together."""
    failures: dict[str, list[tuple[str, str, Path]]] = {}
    for i, name in enumerate(rows.names):
        progress(f"null value imputation: column {i + 1} of {len(rows.names)}")
        blanked = rows.blanked(i)
        try:
            asked.csv(blanked)
        except PolyhostError as error:
            safe = re.sub(r"\W+", "_", name)[:60]
            path = kept / f"{i + 1}_{safe}.csv"
            write_whole(path, blanked.encoded())
            message = _told(error)
            alike = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "*", message)
            failures.setdefault(alike, []).append((name, message, path))
    return Check(NULL_VALUES, "\n".join(map(_failed, failures.values())))


def _failed(alike: list[tuple[str, str, Path]]) -> str:
    """One failure, the columns that it was seen with, and the first one's message and data."""
    name, message, path = alike[0]
    others = ", ".join(other for other, _, _ in alike[1:])
    more = f"\nAs well with: {others}" if others else ""
    return f"Failed feature: {name}{more}\nMessage: {message}\nDataset: {path}"


def _consistency(asked: Asked, payload: Payload, rows: Rows, whole: Any) -> Check:
    """Predict the same rows again, then some on their own: nothing may have been remembered."""
    name = "Side effects: predictions"
    if asked.spec.target.type.is_text:
        return Check(name)  # texts may differ by chance
    progress("side effects")
    places, sample = rows.sample()
    try:
        again, some = asked.frame(payload), asked.csv(sample)
    except PolyhostError as error:
        return Check(name, f"the second request failed: {_told(error)}")
    if not _alike(whole, again):
        return Check(name, "the same data gave other predictions the second time")
    if len(whole) == len(rows.cells) and not _alike(whole.iloc[places], some):
        return Check(name, f"{len(places)} rows on their own gave other predictions than among all")
    return Check(name)


def _alike(first: Any, second: Any) -> bool:
    """Whether two frames hold the same but for rounding."""
    import numpy as np

    if first.shape != second.shape or list(first.columns) != list(second.columns):
        return False
    for i in range(first.shape[1]):
        one, other = first.iloc[:, i].to_numpy(), second.iloc[:, i].to_numpy()
        if one.dtype.kind in "fiu" and other.dtype.kind in "fiu":
            if not np.allclose(one, other, rtol=RTOL, atol=ATOL, equal_nan=True):
                return False
        elif list(map(str, one)) != list(map(str, other)):
            return False
    return True


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change by file; what Python leaves when it imports is left out."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _unchanged(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> Check:
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    details = f"written while the model ran: {', '.join(changed)}" if changed else ""
    return Check("Side effects: code dir", details)
