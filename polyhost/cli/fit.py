"""``polyhost fit``: train the model of a code dir, and leave a folder that ``score`` takes."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
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
from polyhost.errors import PolyhostError, SettingsError
from polyhost.files.replace import write_whole

if TYPE_CHECKING:
    from polyhost.data.payload import Table
    from polyhost.pipeline.fit import FitJob
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
    Flag(
        ("--enable-fit-metadata",),
        "write the memory that it took to fit_runtime_data.json in the output",
        options=SWITCH,
    ),
)
register("fit", FLAGS)
MEMORY_FILE = "fit_runtime_data.json"


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
        raise SettingsError(
            "the code directory may not be used as the output directory: --output is the code dir "
            f"{options.code_dir}. Give another folder."
        )
    with ExitStack() as stack:
        output = options.output or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # What the trial keeps outlives it, unlike the children's own temporary folder.
        keep = options.output or Path(tempfile.gettempdir())
        code = run_guarded(lambda: _fit(options, output), stacktrace=options.show_stacktrace)
        if code == 0 and not options.skip_predict:
            trial = partial(_try, options, output, keep)
            code = run_guarded(trial, stacktrace=options.show_stacktrace)
    if code == 0:
        _tell_success(options)
    return code


def _tell_success(options: argparse.Namespace) -> None:
    if options.output is None:  # the two spaces are DRUM's, whose output scripts search
        tried = " and predictions can be made on the fit model!"
        if options.skip_predict:
            tried = "however since you specified --skip-predict, predictions were not made."
        print(f"Validation Complete. Your model can be fit to your data, {tried}")
    print("Success")


def _fit(options: argparse.Namespace, output: Path) -> int:
    from polyhost.code_dir.type_schema import TypeSchema
    from polyhost.pipeline import fit, schema_check

    spec, job = _prepare(options, output)
    if TypeSchema.is_default(spec.options):
        print(
            "WARNING: No type schema provided. For transforms, we require the default one: numbers "
            "and nothing else. --disable-strict-validation turns that off.",
            flush=True,
        )
    schema_check.check_input(TypeSchema.of(spec.options), job.rows)
    print("Starting Fit", flush=True)
    fit.fit(spec, job)
    fit.leave_code(spec, output)
    print("Fit successful", flush=True)
    if options.enable_fit_metadata and not options.skip_predict:
        _note_memory(output, "fit_memory_usage")
    return 0


def _try(options: argparse.Namespace, output: Path, keep: Path) -> int:
    from polyhost.cli.fit_trial import try_out

    spec, job = _prepare(options, output)
    print("Starting Prediction", flush=True)
    try:
        try_out(spec, output, job, keep)
    except PolyhostError as error:
        print(f"Prediction failed: {error.message}", flush=True)
        raise
    if options.enable_fit_metadata:
        _note_memory(output, "prediction_memory_usage")
    return 0


def _note_memory(output: Path, key: str) -> None:
    """Add the most memory that this process took, in MB, to what the output folder says."""
    import resource

    path = output / MEMORY_FILE
    said = json.loads(path.read_bytes()) if path.exists() else {}
    said[key] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write_whole(path, json.dumps(said).encode("utf-8"))


def _prepare(options: argparse.Namespace, output: Path) -> tuple[ModelSpec, FitJob]:
    from polyhost.data.target import TargetType
    from polyhost.pipeline.fit import FitJob

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
    from polyhost.pipeline.fit import split

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
    _check_count("target", target, rows)
    try:
        _check_count("row weights", weights, rows)
    except SettingsError as error:  # a task may make nothing of them: DRUM does not count
        print(f"polyhost: warning: {error.message}", file=sys.stderr)
    count = _number_of_rows(options.num_rows, rows.rows)
    return (
        rows.slice(0, count) if count < rows.rows else rows,
        None if target is None else target.slice(0, count),
        None if weights is None else weights.slice(0, count),
    )


def _check_count(what: str, column: Table | None, rows: Table) -> None:
    if column is not None and column.rows != rows.rows:
        raise SettingsError(
            f"{column.rows} {what} value(s) for {rows.rows} row(s) of input: expected as many."
        )


def _number_of_rows(text: str, rows: int) -> int:
    if text.upper() == "ALL":
        return rows
    if not text.isdigit() or int(text) < 1:
        raise SettingsError(f"wrong --num-rows {text!r}: expected ALL or a whole number from 1.")
    return min(int(text), rows)


def _read(path: Path, names: Path | None) -> Table:
    from polyhost.data.payload import Table
    from polyhost.formats import csv, sparse

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
    from polyhost.code_dir.metadata import read
    from polyhost.data.target import TargetType
    from polyhost.pipeline.fit import labels_in

    metadata = read(options.code_dir)
    kind = options.target_type or (metadata.target_type if metadata else None)
    noted = {} if metadata is None else metadata.inference_model
    if kind == TargetType.BINARY.value:  # labels of another type are nobody's here
        given = options.positive_class_label or noted.get("positiveClassLabel")
    else:
        given = options.class_labels or options.class_labels_file
        given = given or noted.get("classLabels") or noted.get("classLabelsFile")
    if target is not None and not given:
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
    default = strict and kind == TargetType.TRANSFORM.value
    return model_spec(options, type_schema={"default": default, "strict": strict})


def _parameters(options: argparse.Namespace) -> dict[str, Any]:
    if options.parameter_file is None:
        from polyhost.code_dir.metadata import read

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
