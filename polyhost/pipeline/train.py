"""Training that a client asks for: a table with its target in, a folder that can be served out."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from polyhost.code_dir.inspect import inspect
from polyhost.code_dir.metadata import read
from polyhost.data.payload import Dictionary, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidInput, InvalidOutput, SettingsError
from polyhost.pipeline import fit
from polyhost.predictor import INFER_TARGET, JOB, GuestInfo, ModelInfo, ModelSpec

_NEEDS_NO_TARGET = (TargetType.ANOMALY, TargetType.TRANSFORM, TargetType.UNSTRUCTURED)


@dataclass(frozen=True)
class Trained:
    """What training left: a folder in this process's temporary one, and what it predicts."""

    folder: Path
    target: Target
    rows: int


class Trainer:
    """In a worker's place of a predictor: it answers one request, to train the model of a code dir."""

    def __init__(self, spec: ModelSpec) -> None:
        options = {key: value for key, value in spec.options.items() if key != JOB}
        self._spec = replace(spec, options=options)
        self.info = ModelInfo(
            language=spec.language,
            target=spec.target,
            hooks=(),
            guest=GuestInfo(predicts=False),
            batchable=False,
        )

    def train(self, rows: Table, name: Optional[str], parameters: Mapping[str, Any]) -> Trained:
        """Train on rows that hold the target under ``name``."""
        target: Optional[Table] = None
        if name is not None:
            try:
                rows, target = fit.split(rows, name, "target")
            except SettingsError as error:
                raise InvalidInput(error.message) from None
        spec = self._settled(target, name)
        kind = spec.target.type
        if kind is TargetType.ANOMALY:
            target = None
        elif target is None and kind not in _NEEDS_NO_TARGET:
            raise InvalidInput(
                f"the training data name no target: expected one for target type {kind.value!r}."
            )
        folder = Path(tempfile.mkdtemp(prefix="trained-"))
        order = spec.target.labels if kind.is_classification else None
        chosen = {**_defaults(spec.code_dir), **parameters}
        fit.fit(spec, fit.FitJob(rows, folder, target, None, order, chosen))
        if not any(folder.iterdir()):
            raise InvalidOutput(
                "the fit hook left nothing in output_dir: expected the trained model there.",
                hook="fit",
            )
        found = inspect(folder, spec.language).artifacts
        fit.leave_code(spec, folder, without=spec.artifacts if found else ())
        return Trained(folder, spec.target, rows.rows)

    def _settled(self, target: Optional[Table], name: Optional[str]) -> ModelSpec:
        """The spec with the target type and labels that the data have, where nobody gave them."""
        spec = self._spec
        given = spec.options.get(INFER_TARGET)
        if given is None:
            return replace(spec, target=replace(spec.target, name=spec.target.name or name))
        kind, labels = _target_of(target, TargetType.parse(given) if given else None)
        options = {key: value for key, value in spec.options.items() if key != INFER_TARGET}
        return replace(spec, target=Target(kind, labels, spec.target.name or name), options=options)

    def interrupt(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is held: the model was let go when it was trained."""


def _defaults(code_dir: Path) -> Mapping[str, Any]:
    metadata = read(code_dir)
    return {} if metadata is None else metadata.default_parameters()


def _target_of(
    target: Optional[Table], given: Optional[TargetType]
) -> Tuple[TargetType, Tuple[str, ...]]:
    """Numbers are a regression, anything else classes: two of them are binary, the positive one
    being the last, as libraries have it."""
    if target is None:
        if given is None or given.is_classification:
            raise InvalidInput("the training data name no target: expected its column's name.")
        return given, ()
    if given is not None and not given.is_classification:
        return given, ()
    column = target.columns[0]
    if given is None and not isinstance(column, Dictionary) and column.dtype.kind in "iuf":
        return TargetType.REGRESSION, ()
    labels = fit.labels_in(target)
    if len(labels) < 2:
        raise InvalidInput(
            f"the target {target.names[0]!r} has {len(labels)} value(s): expected two at least."
        )
    if given is TargetType.BINARY and len(labels) > 2:
        raise InvalidInput(
            f"the target {target.names[0]!r} has {len(labels)} values: expected two, for target "
            "type 'binary'."
        )
    if given is TargetType.BINARY or (given is None and len(labels) == 2):
        return TargetType.BINARY, (labels[1], labels[0])
    return given or TargetType.MULTICLASS, labels


def to_wire(trained: Trained) -> Dict[str, Any]:
    """What the host is sent."""
    target = trained.target
    return {
        "folder": str(trained.folder),
        "rows": trained.rows,
        "target": {
            "type": target.type.value,
            "labels": list(target.labels),
            "name": target.name,
        },
    }
