"""``polyhost fit``: train the model of a code dir, and leave a folder that ``score`` takes."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyhost.cli import docker
from polyhost.cli.flags import (
    SWITCH,
    Flag,
    add_flags,
    existing_file,
    existing_folder,
    flags_of,
    register,
)
from polyhost.cli.guarded import run_guarded
from polyhost.cli.options import check_labels, export_settings, model_spec, refuse_unserved
from polyhost.cli.verify import verify
from polyhost.errors import SettingsError

if TYPE_CHECKING:
    from polyhost.fitting import FitJob
    from polyhost.payload import Table
    from polyhost.predictor import ModelSpec

_SHARED = (
    *("code_dir", "input", "target_type", "positive_class_label", "negative_class_label"),
    *("class_labels", "class_labels_file", "show_stacktrace", "verbose", "logging_level"),
    *("sparse_column_file", "docker", "memory", "skip_deps_install"),
    *("user_secrets_mount_path", "user_secrets_prefix"),
)
_FILE = {"type": existing_file, "metavar": "FILE"}
_COLUMN = {"metavar": "COLUMN"}
FLAGS = (
    *(flag for flag in flags_of("score") if flag.dest in _SHARED),
    Flag(
        ("--output",),
        "folder for the trained model; it is tried and thrown away when absent",
        options={"type": existing_folder, "metavar": "DIR"},
    ),
    Flag(("--target",), "column of the input that is the target", options=_COLUMN),
    Flag(("--target-csv",), "file whose only column is the target", options=_FILE),
    Flag(("--row-weights",), "column of the input with the rows' weights", options=_COLUMN),
    Flag(("--row-weights-csv",), "file whose only column has the rows' weights", options=_FILE),
    Flag(
        ("--skip-predict",),
        "do not try the trained model",
        env="SKIP_PREDICT",
        options=SWITCH,
    ),
    Flag(
        ("--num-rows",),
        "rows of the input to train on",
        options={"default": "ALL", "metavar": "N"},
    ),
    Flag(("--parameter-file",), "JSON file with the parameters of the model", options=_FILE),
    Flag(
        ("--disable-strict-validation",),
        "data that violates the type schema is a warning, not an error",
        options=SWITCH,
    ),
    Flag(("--enable-fit-metadata",), "accepted for old scripts", options=SWITCH),
)
register("fit", FLAGS)
RTOL, ATOL = 2e-2, 1e-6
"""How far predictions of some rows may be from those of the same rows among all."""


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("fit", help="train a model with its fit hook")
    add_flags(parser, FLAGS)
    parser.set_defaults(run=run, parser=parser, language=None, strict_rows=False)


def run(options: argparse.Namespace) -> int:
    """Train, then try the trained model; each in a child of its own."""
    parser = options.parser
    check_labels(parser, options)
    refuse_unserved(options, FLAGS)
    for one, other in (("target", "target_csv"), ("row_weights", "row_weights_csv")):
        if getattr(options, one) and getattr(options, other):
            parser.error(f"--{one} and --{other} exclude each other".replace("_", "-"))
    verify(options)
    if options.docker:
        return docker.run(options, FLAGS)
    if options.output == options.code_dir:
        raise SettingsError(f"--output is the code dir {options.code_dir}: give another folder.")
    with ExitStack() as stack:
        output = options.output or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        code = run_guarded(lambda: _fit(options, output), stacktrace=options.show_stacktrace)
        if code == 0 and not options.skip_predict:
            code = run_guarded(lambda: _try(options, output), stacktrace=options.show_stacktrace)
    if code == 0:
        print("Success")
    return code


def _fit(options: argparse.Namespace, output: Path) -> int:
    from polyhost import conformity, fitting
    from polyhost.type_schema import TypeSchema

    spec, job = _prepare(options, output)
    conformity.check_input(TypeSchema.of(spec.options), job.rows)
    print("Starting Fit", flush=True)
    fitting.fit(spec, job)
    fitting.leave_code(spec, output)
    print("Fit successful", flush=True)
    return 0


def _prepare(options: argparse.Namespace, output: Path) -> tuple[ModelSpec, FitJob]:
    from polyhost.fitting import FitJob
    from polyhost.target import TargetType

    export_settings(options)
    rows, target, weights = _data(options)
    spec = _spec(options, target)
    kind = spec.target.type
    if kind is TargetType.ANOMALY and target is not None:
        raise SettingsError("an anomaly model takes no target: leave --target[-csv] out.")
    if target is None and kind not in (TargetType.ANOMALY, TargetType.TRANSFORM):
        raise SettingsError(f"target type {kind.value} needs --target or --target-csv.")
    order = spec.target.labels if kind.is_classification else None
    job = FitJob(rows, output, target, weights, order, _parameters(options))
    return spec, job


def _data(options: argparse.Namespace) -> tuple[Table, Table | None, Table | None]:
    from polyhost.fitting import split

    rows = _read(options.input, options.sparse_column_file)
    target = weights = None
    if options.target:
        rows, target = split(rows, options.target, "target")
    elif options.target_csv:
        target = _column(options.target_csv, "target")
    if options.row_weights:
        rows, weights = split(rows, options.row_weights, "row weights")
    elif options.row_weights_csv:
        weights = _column(options.row_weights_csv, "row weights")
    for what, column in (("target", target), ("row weights", weights)):
        if column is not None and column.rows != rows.rows:
            raise SettingsError(
                f"{column.rows} {what} value(s) for {rows.rows} row(s) of input: expected as many."
            )
    count = _number_of_rows(options.num_rows, rows.rows)
    return (
        rows.slice(0, count) if count < rows.rows else rows,
        None if target is None else target.slice(0, count),
        None if weights is None else weights.slice(0, count),
    )


def _number_of_rows(text: str, rows: int) -> int:
    if text.upper() == "ALL":
        return rows
    if not text.isdigit() or int(text) < 1:
        raise SettingsError(f"wrong --num-rows {text!r}: expected ALL or a whole number from 1.")
    return min(int(text), rows)


def _read(path: Path, names: Path | None) -> Table:
    from polyhost.formats import csv, sparse
    from polyhost.payload import Table

    if path.suffix == ".mtx":
        columns = None if names is None else sparse.read_names(names.read_bytes())
        return sparse.read(path.read_bytes(), columns)
    return Table.from_pandas(csv.read_frame(path.read_bytes()))


def _column(path: Path, what: str) -> Table:
    found = _read(path, None)
    if len(found.names) != 1:
        raise SettingsError(
            f"the {what} file {path} must have one column; found {len(found.names)}."
        )
    return found


def _spec(options: argparse.Namespace, target: Table | None) -> ModelSpec:
    """The code dir's spec; labels that nobody gave are those of the target."""
    from polyhost.fitting import labels_in
    from polyhost.metadata import read
    from polyhost.target import TargetType

    metadata = read(options.code_dir)
    kind = options.target_type or (metadata.target_type if metadata else None)
    given = options.positive_class_label or options.class_labels or options.class_labels_file
    noted = metadata is not None and (
        metadata.inference_model.get("positiveClassLabel")
        or metadata.inference_model.get("classLabels")
        or metadata.inference_model.get("classLabelsFile")
    )
    if target is not None and not given and not noted:
        if kind == TargetType.BINARY.value:
            labels = labels_in(target)
            if len(labels) != 2:
                raise SettingsError(
                    f"a binary target has two values; found {len(labels)}: {', '.join(labels[:20])}."
                )
            options.positive_class_label, options.negative_class_label = labels
        elif kind in (TargetType.MULTICLASS.value, TargetType.MULTILABEL.value):
            options.class_labels = labels_in(target)
    strict = not options.disable_strict_validation
    return model_spec(options, type_schema={"default": True, "strict": strict})


def _parameters(options: argparse.Namespace) -> dict[str, Any]:
    if options.parameter_file is None:
        from polyhost.metadata import read

        metadata = read(options.code_dir)
        return {} if metadata is None else dict(metadata.default_parameters())
    try:
        found = json.loads(options.parameter_file.read_bytes())
    except ValueError as error:
        raise SettingsError(
            f"the parameter file {options.parameter_file} is no JSON: {error}."
        ) from error
    if not isinstance(found, dict):
        raise SettingsError(f"the parameter file {options.parameter_file} must be a JSON object.")
    return found


def _try(options: argparse.Namespace, output: Path) -> int:
    """Load what training left and predict the rows it was trained on, all and some."""
    from polyhost.code_dir import inspect
    from polyhost.payload import Payload
    from polyhost.pipeline import open_predictor
    from polyhost.target import TargetType

    spec, job = _prepare(options, output)
    trained = inspect(output, spec.language)
    spec = replace(
        spec,
        code_dir=trained.path,
        custom_file=trained.custom_file,
        artifacts=trained.artifacts,
    )
    print("Starting Prediction", flush=True)
    predictor = open_predictor(spec)
    try:
        if spec.target.type is TargetType.TRANSFORM:
            predictor.transform(Payload(b"", table=job.rows))
        else:
            _compare(predictor, job.rows)
    finally:
        predictor.close()
    return 0


def _compare(predictor: Any, rows: Table) -> None:
    """Warn when the predictions of some rows depend on the rows beside them."""
    import numpy as np

    count = min(rows.rows, max(10, min(1000, rows.rows // 10)))
    every = predictor.predict(rows).predictions.slice(0, count)
    some = predictor.predict(rows.slice(0, count)).predictions
    for name, first, second in zip(every.names, every.columns, some.columns, strict=True):
        numeric = isinstance(first, np.ndarray) and first.dtype.kind in "biuf"
        if numeric and not np.allclose(first, second, RTOL, ATOL, equal_nan=True):
            print(
                f"polyhost: warning: predictions in {name!r} of {count} row(s) differ from those "
                f"of the same rows among {rows.rows}: the model computes across rows.",
                file=sys.stderr,
            )
