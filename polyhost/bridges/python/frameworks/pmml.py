"""PMML documents, scored by PyPMML (which runs a JVM of its own)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks import estimators
from polyhost.bridges.python.frameworks.arrays import as_table
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.data.payload import Table
from polyhost.data.target import Target
from polyhost.errors import LoadError
from polyhost.predictor import ColumnInfo, GuestInfo

NAME = "pmml"
_PROBABILITY = "probability_"
_NUMBERS = ("float", "double", "integer")


class PmmlFramework:
    """Probabilities by class where the document gives them; else its first output."""

    name = NAME
    extensions = (".pmml",)

    def load(self, artifact: Path) -> Any:
        return library("pypmml").Model.fromFile(str(artifact))

    def accepts(self, model: Any) -> bool:
        return estimators.derives_by_name(model, "pypmml", "Model")

    def built_in(self, model: Any, target: Target) -> PmmlModel:
        return PmmlModel(model, target)


class PmmlModel:
    """A document with its own labels and columns."""

    def __init__(self, model: Any, target: Target) -> None:
        self._model = model
        self._target = target
        outputs = [str(name) for name in model.outputNames]
        self._wanted = [name for name in outputs if name.startswith(_PROBABILITY)]
        if not target.type.is_classification:
            self._wanted = outputs[:1]
        elif not self._wanted:
            raise LoadError(
                f"the PMML document answers {', '.join(outputs) or 'nothing'}: expected a "
                f"{_PROBABILITY}<label> for each class. Export it with probabilities.",
                language="python",
                found=outputs,
            )
        is_class = target.type.is_classification
        self._labels = [name[len(_PROBABILITY) :] for name in self._wanted] if is_class else []
        self.info = GuestInfo(
            framework=NAME,
            labels=tuple(self._labels),
            columns=tuple(
                ColumnInfo(str(field.name), "number" if field.dataType in _NUMBERS else "any")
                for field in model.inputFields
            ),
            schema_source="model",
            row_wise=True,
        )

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table, in one call of the document's engine."""
        frame = frames.from_table(data) if isinstance(data, Table) else data
        found = self._model.predict(frame)
        values = np.column_stack([found[name].to_numpy(np.float64) for name in self._wanted])
        return as_table(values, self._target, self._labels)
