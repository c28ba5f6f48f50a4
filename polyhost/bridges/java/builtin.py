"""The built-in artifacts: which loader reads one, and what its model tells of itself."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple

from polyhost.bridges.java import tables
from polyhost.bridges.java.h2o import H2oPredict
from polyhost.bridges.java.jvm import java_class, java_path
from polyhost.data.payload import Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError, SchemaMismatch
from polyhost.pipeline.marshal import match_labels
from polyhost.predictor import INFER_TARGET, ColumnInfo, GuestInfo

logger = logging.getLogger(__name__)


PIPELINE = "pipeline.mojo"
"""What a pipeline of Driverless AI is called."""


class Predict(Protocol):
    """What a kind of artifact predicts with."""

    columns: Tuple[str, ...]
    numeric: Tuple[bool, ...]
    labels: Tuple[str, ...]
    matrix: bool

    def predict(self, table: Table) -> Table: ...

    def labelled(self, answer: Table) -> Table: ...


class ScoringCodePredict:
    """The predict of a scoring-code jar, whose rows are maps filled in Java.

    Its classes come in the order of the labels asked for, as in DRUM; those of others keep theirs.
    """

    matrix = False

    def __init__(self, model: Any, target: Target) -> None:
        self._model = model
        self.columns = tuple(map(str, model.columns()))
        self.numeric = tuple(map(bool, model.numeric()))
        self.labels = _two_by_position(tuple(map(str, model.labels())), target)
        self._places = _places(self.labels, target.labels)

    def predict(self, table: Table) -> Table:
        """One row of predictions for each row."""
        return self.labelled(tables.from_java(self._model.predict(tables.to_java(table))))

    def labelled(self, answer: Table) -> Table:
        """What Java answered, in order and with the labels."""
        return answer.renamed(self.labels).select(self._places) if self.labels else answer


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

    def __init__(self, model: Any, artifact: Path, target: Target) -> None:
        self._model = model
        self.columns = tuple(map(str, model.columns()))
        self.numeric = tuple(map(bool, model.numeric()))
        outputs = tuple(map(str, model.labels()))
        self.labels = tuple(_label_in(output, artifact, target) for output in outputs)

    def predict(self, table: Table) -> Table:
        """One row of predictions for each row."""
        return self.labelled(tables.from_java(self._model.predict(tables.to_java(table))))

    def labelled(self, answer: Table) -> Table:
        """What Java answered, with the labels."""
        return answer.renamed(self.labels) if self.labels else answer


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
        self.java = model
        self.native = model.model()
        self._predict = predict
        self._allow_missing = bool(options.get("allow_missing_columns"))
        self._checked: Tuple[str, ...] = ()
        self._told: List[str] = []

    @property
    def numeric(self) -> Dict[str, bool]:
        """The model's columns, with whether each holds numbers."""
        return dict(zip(self._predict.columns, self._predict.numeric))

    @property
    def reads_texts(self) -> bool:
        """A CSV is handed to the model as text, cell by cell as it stands."""
        return isinstance(self._predict, (ScoringCodePredict, PipelinePredict))

    def predict(self, table: Table) -> Table:
        """Predict; SchemaMismatch when columns that the model reads are missing."""
        if table.names is not self._checked:
            self._check(table.names)
        return self._predict.predict(table)

    def predict_java(self, table: Any) -> Table:
        """The same for a Java table, which stays in the JVM."""
        names = tuple(map(str, table.names()))
        self._check(names)
        if not set(names).issuperset(self._predict.columns):
            return self._predict.predict(tables.from_java(table))
        return self._predict.labelled(tables.from_java(self.java.predict(table)))

    def _check(self, names: Tuple[str, ...]) -> None:
        absent = [name for name in self._predict.columns if name not in names]
        if absent:
            message = (
                f"{len(absent)} column(s) that the model reads are missing: expected "
                f"{_listed(self._predict.columns)}; missing {_listed(absent)}; found "
                f"{_listed(names)}. Add them, empty where the values are not known."
            )
            if not self._allow_missing:
                raise SchemaMismatch(
                    message,
                    expected=list(self._predict.columns),
                    missing=absent,
                    found=list(names),
                )
            if absent != self._told:
                logger.warning("%s They count as missing values.", message)
                self._told = absent
        self._checked = names

    def describe(self) -> GuestInfo:
        """What the model tells of itself."""
        predict = self._predict
        return GuestInfo(
            framework=str(self.java.framework()),
            labels=predict.labels,
            columns=tuple(
                ColumnInfo(name, "number" if numeric else "text", not self._allow_missing)
                for name, numeric in zip(predict.columns, predict.numeric)
            ),
            schema_source="model" if predict.columns else "nothing",
            row_wise=True,
            matrix=predict.matrix,
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:20]))
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")


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
    if extension == ".zip":
        model = h2o.ofMojo(java_path(artifact))
    elif extension == ".java":
        model = h2o.ofPojo(java_path(artifact), loader)
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
    return BuiltIn(model, H2oPredict(model, _threads(options)), options)


def _load_pipeline(
    artifact: Path, loader: Any, target: Target, options: Mapping[str, Any]
) -> BuiltIn:
    if artifact.name != PIPELINE:
        raise LoadError(
            f"a Driverless AI pipeline must be called {PIPELINE}; found {artifact.name}. Rename it.",
            artifact=str(artifact),
        )
    model = java_class("io.polyhost.builtin.PipelineModel").of(java_path(artifact), loader)
    _check_kind(artifact, "Driverless AI pipeline", bool(len(model.labels())), target, options)
    return BuiltIn(model, PipelinePredict(model, artifact, target), options)


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
