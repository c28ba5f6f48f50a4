"""PMML documents, scored by PyPMML (which runs a JVM of its own)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple
from xml.etree import ElementTree

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks import estimators
from polyhost.bridges.python.frameworks.arrays import as_table
from polyhost.bridges.python.frameworks.expected import Expected, of_levels
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.data.column_info import BOOLEAN, DATE, NUMBER, OWN, TEXT, TIME
from polyhost.data.payload import SparseTable, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError
from polyhost.pipeline.infer_target import target_of_labels
from polyhost.predictor import ArtifactTarget, GuestInfo

NAME = "pmml"
_PROBABILITY = "probability_"
_DATES = {"date": DATE, "dateTime": TIME}


class PmmlFramework:
    """Probabilities by class where the document gives them; else its first output."""

    name = NAME
    extensions = (".pmml",)

    def load(self, artifact: Path) -> Any:
        model = library("pypmml").Model.fromFile(str(artifact))
        model.polyhost_fields = _fields(artifact)
        return model

    def accepts(self, model: Any) -> bool:
        return estimators.derives_by_name(model, "pypmml", "Model")

    def built_in(self, model: Any, target: Target) -> PmmlModel:
        return PmmlModel(model, target)

    def target_of(self, model: Any) -> Optional[ArtifactTarget]:
        """What a document was made for, by its function."""
        if str(model.functionName) == "regression":
            return TargetType.REGRESSION, ()
        labels = tuple(label for label, _ in _probabilities(model))
        return target_of_labels(labels) if labels else None


def _fields(artifact: Path) -> Dict[str, Expected]:
    """What the document's data dictionary says of each field."""
    fields: Dict[str, Expected] = {}
    for _, element in ElementTree.iterparse(str(artifact)):
        tag = element.tag.rpartition("}")[2]
        if tag == "DataField":
            fields[element.get("name", "")] = _expected(element)
        if tag == "DataDictionary":
            break
    return fields


def _expected(field: Any) -> Expected:
    kind = field.get("dataType", "string")
    values = [
        value.get("value", "")
        for value in field
        if value.tag.rpartition("}")[2] == "Value" and value.get("property", "valid") == "valid"
    ]
    if kind in _DATES:
        return Expected(_DATES[kind], marker=None)
    if kind == "boolean":
        return Expected(BOOLEAN, marker=None)
    if field.get("optype") != "continuous" and values:
        typed = values if kind == "string" else [_number(value) for value in values]
        return replace(of_levels(typed, unknown=OWN), marker=None)
    return Expected(TEXT if kind == "string" else NUMBER, marker=None)


def _number(text: str) -> Any:
    value = float(text)
    return int(value) if value.is_integer() else value


def _probabilities(model: Any) -> List[Tuple[str, str]]:
    """Label and name of each output that is a class's probability."""
    names = [str(name) for name in model.outputNames]
    return [(name[len(_PROBABILITY) :], name) for name in names if name.startswith(_PROBABILITY)]


class PmmlModel:
    """A document with its own labels and columns."""

    def __init__(self, model: Any, target: Target) -> None:
        self._model = model
        self._target = target
        found = _probabilities(model)
        outputs = [str(name) for name in model.outputNames]
        self._labels = [label for label, _ in found] if target.type.is_classification else []
        self._wanted = [name for _, name in found] if self._labels else outputs[:1]
        if target.type.is_classification and not found:
            raise LoadError(
                f"the PMML document answers {', '.join(outputs) or 'nothing'}: expected a "
                f"{_PROBABILITY}<label> for each class. Export it with probabilities.",
                language="python",
                found=outputs,
            )
        fields = getattr(model, "polyhost_fields", {})
        self._names = [str(field.name) for field in model.inputFields]
        self._expected = [fields.get(name, Expected(marker=None)) for name in self._names]
        own = PmmlFramework().target_of(model)
        self.info = GuestInfo(
            framework=NAME,
            labels=tuple(self._labels),
            columns=tuple(each.info(name) for each, name in zip(self._expected, self._names)),
            schema_source="model",
            row_wise=True,
            target_type=own[0].value if own else None,
        )

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table, in one call of the document's engine."""
        frame = self._frame(data) if isinstance(data, Table) else data
        found = self._model.predict(frame)
        values = np.column_stack([found[name].to_numpy(np.float64) for name in self._wanted])
        return as_table(values, self._target, self._labels)

    def _frame(self, table: Table) -> Any:
        if table.names != tuple(self._names) or isinstance(table, SparseTable):
            return frames.from_table(table)
        cells = [_texts(each.cells(c)) for each, c in zip(self._expected, table.columns)]
        frame = frames.pandas().DataFrame(dict(enumerate(cells)), index=range(table.rows))
        frame.columns = list(table.names)
        return frame


def _texts(column: Any) -> Any:
    """Dates and times as the engine reads them; other columns as they are."""
    if column.dtype.kind != "M":
        return column
    return np.where(np.isnat(column), None, column.astype(str).astype(object))
