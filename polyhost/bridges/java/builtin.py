"""The built-in artifacts: which loader reads one, and what its model knows of itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, FrozenSet, List, Mapping, Optional, Protocol, Tuple

import numpy as np

from polyhost.bridges.java import tables
from polyhost.bridges.java.h2o import H2oPredict
from polyhost.bridges.java.jvm import java_class, java_path
from polyhost.bridges.java.mojo import time_columns
from polyhost.data.column_info import INTEGER, ColumnInfo
from polyhost.data.payload import Column, Dictionary, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError
from polyhost.pipeline.apply_schema import Schema
from polyhost.pipeline.marshal import match_labels
from polyhost.predictor import INFER_TARGET, GuestInfo
from polyhost.worker import counters

PIPELINE = "pipeline.mojo"
"""What a pipeline of Driverless AI is called."""


class Predict(Protocol):
    """What a kind of artifact predicts with."""

    columns: Tuple[ColumnInfo, ...]
    labels: Tuple[str, ...]
    extras: Tuple[str, ...]
    target_type: Optional[str]
    matrix: bool

    def predict(self, table: Table) -> Table: ...


class ScoringCodePredict:
    """The predict of a scoring-code jar, whose rows are maps filled in Java.

    Its classes come in the order of the labels asked for, as in DRUM; those of others keep theirs.
    """

    matrix = False
    extras: Tuple[str, ...] = ()

    def __init__(self, model: Any, target: Target) -> None:
        self._model = model
        self.columns = _columns_of(model)
        self.target_type: Optional[str] = _target_type(model)
        self.labels = _two_by_position(tuple(map(str, model.labels())), target)
        self._order = _places(self.labels, target.labels)

    def predict(self, table: Table) -> Table:
        """One row of predictions for each row."""
        answer = tables.from_java(self._model.predict(tables.to_java(table)))
        return answer.renamed(self.labels).select(self._order) if self.labels else answer


def _columns_of(model: Any) -> Tuple[ColumnInfo, ...]:
    return tuple(
        ColumnInfo(str(name), str(kind)) for name, kind in zip(model.columns(), model.kinds())
    )


def _target_type(model: Any) -> str:
    classes = len(model.labels())
    if classes == 0:
        return TargetType.REGRESSION.value
    return TargetType.BINARY.value if classes == 2 else TargetType.MULTICLASS.value


def _places(own: Tuple[str, ...], asked: Tuple[str, ...]) -> List[int]:
    """Where the classes asked for stand among a model's own; these in order when they differ."""
    matched = match_labels(own, asked) or []
    if sorted(matched) != sorted(asked):
        return list(range(len(own)))
    return [matched.index(label) for label in asked]


class PipelinePredict:
    """The predict of a Driverless AI pipeline, whose cells are texts and whose outputs hold the
    labels in their names."""

    matrix = False

    def __init__(self, model: Any, artifact: Path, target: Target, infer: bool = False) -> None:
        self._model = model
        self.columns = _columns_of(model)
        self.target_type: Optional[str] = _target_type(model)
        self.extras = tuple(map(str, model.extras()))
        outputs = tuple(map(str, model.labels()))
        if infer:
            self.labels = _without_common_prefix(outputs)
        else:
            self.labels = tuple(_label_in(output, artifact, target) for output in outputs)

    def predict(self, table: Table) -> Table:
        """One row of predictions, and of the bounds beside them, for each row."""
        whole = [_whole(c) if i.kind == INTEGER else c for i, c in zip(self.columns, table.columns)]
        sent = tables.to_java(Table(table.names, whole))
        answer = tables.from_java(self._model.predict(sent))
        return answer.renamed((*self.labels, *self.extras)) if self.labels else answer


def _whole(column: Column) -> Column:
    """Whole numbers, some of which are missing, as the texts that a pipeline reads."""
    if isinstance(column, Dictionary) or column.dtype.kind != "f":
        return column
    cells = np.empty(len(column), dtype=object)
    cells[:] = [None if cell != cell else str(int(cell)) for cell in column.tolist()]
    return cells


def _without_common_prefix(outputs: Tuple[str, ...]) -> Tuple[str, ...]:
    """The labels in outputs called ``target.label``."""
    head = outputs[0] if outputs else ""
    while head and not all(output.startswith(head + ".") for output in outputs):
        head = head.rpartition(".")[0]
    return tuple(output[len(head) + 1 :] if head else output for output in outputs)


def _label_in(output: str, artifact: Path, target: Target) -> str:
    """The label that an output's name (``target.label``) ends with, else the longest in it."""
    ends = [label for label in target.labels if output.endswith(f".{label}")]
    found = ends or [label for label in target.labels if label in output]
    if not found:
        raise LoadError(
            f"{artifact.name} has an output {output!r} whose name holds none of the class labels: "
            f"expected one of {', '.join(target.labels) or 'none'}. Give the labels that the "
            "pipeline was trained with.",
            artifact=str(artifact),
            found=output,
        )
    return max(found, key=len)


def _two_by_position(own: Tuple[str, ...], target: Target) -> Tuple[str, ...]:
    """The labels asked for name a two-class model whose own differ: its first is the positive."""
    if target.type is TargetType.BINARY and len(own) == 2:
        return own if match_labels(own, target.labels) else target.labels
    return own


class BuiltIn:
    """A loaded artifact."""

    def __init__(self, model: Any, predict: Predict, options: Mapping[str, Any]) -> None:
        self.native = model.model()
        self._framework = str(model.framework())
        self._predict = predict
        self._required = not options.get("allow_missing_columns")
        self._schema = Schema(
            self._columns(), unknown_levels=options.get("unknown_levels"), noted=_count_unknown
        )

    def _columns(self) -> Tuple[ColumnInfo, ...]:
        return tuple(replace(c, required=self._required) for c in self._predict.columns)

    def predict(self, table: Table) -> Table:
        """Predict for rows that are typed as :meth:`describe` says."""
        return self._predict.predict(table)

    def predict_java(self, table: Any) -> Table:
        """The same for what a hook returned, a Java table that is typed here."""
        found = tables.from_java(table)
        return self.predict(self._schema.apply(found) if self._schema.columns else found)

    def describe(self) -> GuestInfo:
        """What the model says of itself."""
        predict = self._predict
        return GuestInfo(
            framework=self._framework,
            labels=predict.labels,
            columns=self._schema.columns,
            schema_source="model" if predict.columns else "nothing",
            row_wise=True,
            matrix=predict.matrix,
            target_type=predict.target_type,
            extras=predict.extras,
        )


def load(artifact: Path, loader: Any, target: Target, options: Mapping[str, Any]) -> BuiltIn:
    """Load an artifact by its extension. Java exceptions come out as they are."""
    extension = artifact.suffix.lower()
    if extension == ".jar":
        model = java_class("io.polyhost.builtin.ScoringCodeModel").of(loader)
        _check_kind(artifact, "model", bool(len(model.labels())), target, options)
        return BuiltIn(model, ScoringCodePredict(model, target), options)
    if extension == ".mojo":
        return _load_pipeline(artifact, loader, target, options)
    h2o = java_class("io.polyhost.builtin.H2oModel")
    extras = _wants_extras(options)
    times: FrozenSet[str] = frozenset()
    if extension == ".zip":
        model = h2o.ofMojo(java_path(artifact), extras)
        times = time_columns(artifact)
    elif extension == ".java":
        model = h2o.ofPojo(java_path(artifact), loader, extras)
    else:
        raise LoadError(
            f"cannot load {artifact.name}: expected an H2O MOJO (.zip), an H2O POJO (.java), a "
            f"scoring-code .jar or {PIPELINE}; found {extension or 'no extension'}. Load it in a "
            "load_model hook, in Custom.java or custom.jar.",
            artifact=str(artifact),
        )
    _check_kind(
        artifact, f"H2O {model.category()} model", bool(len(model.labels())), target, options
    )
    return BuiltIn(model, H2oPredict(model, times, _threads(options)), options)


def _load_pipeline(
    artifact: Path, loader: Any, target: Target, options: Mapping[str, Any]
) -> BuiltIn:
    if artifact.name != PIPELINE:
        raise LoadError(
            f"a Driverless AI pipeline must be called {PIPELINE}; found {artifact.name}. Rename it.",
            artifact=str(artifact),
        )
    model = java_class("io.polyhost.builtin.PipelineModel").of(
        java_path(artifact), loader, _wants_extras(options)
    )
    _check_kind(artifact, "Driverless AI pipeline", bool(len(model.labels())), target, options)
    return BuiltIn(
        model, PipelinePredict(model, artifact, target, INFER_TARGET in options), options
    )


def _count_unknown(column: str, level: str, cells: int) -> None:
    counters.count("unknown_levels", cells, column=column)


def _wants_extras(options: Mapping[str, Any]) -> bool:
    return bool(options.get("extra_outputs"))


def _threads(options: Mapping[str, Any]) -> Optional[int]:
    return int(options["threads"]) if options.get("threads") else None


def _check_kind(
    artifact: Path, kind: str, classifies: bool, target: Target, options: Mapping[str, Any]
) -> None:
    """A classifier serves classes, any other model one number."""
    wanted = target.type
    if (
        INFER_TARGET in options
        or not wanted.is_structured
        or classifies == wanted.is_classification
    ):
        return
    raise LoadError(
        f"{artifact.name} is a {kind} that answers with "
        f"{'class probabilities' if classifies else 'one number'}: expected a model for target "
        f"type {wanted.value!r}. Give the target type that fits the model.",
        artifact=str(artifact),
    )
