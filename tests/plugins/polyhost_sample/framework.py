"""A model library: a model is a JSON file ``*.sample`` with what it adds to the column ``a``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polyhost.data.payload import Table
from polyhost.data.target import Target
from polyhost.predictor import GuestInfo


@dataclass(frozen=True)
class Sample:
    """A loaded model."""

    adds: float


class BuiltInSample:
    """One, ready to predict."""

    info = GuestInfo(framework="sample", row_wise=True)

    def __init__(self, model: Sample) -> None:
        self._model = model

    def predict(self, data: Any) -> Table:
        table = data if isinstance(data, Table) else Table.from_pandas(data)
        return Table(("",), (np.asarray(dict(table)["a"], dtype=float) + self._model.adds,))


class SampleFramework:
    """The library."""

    name = "sample"
    extensions = (".sample",)

    def load(self, artifact: Path) -> Sample:
        return Sample(**json.loads(artifact.read_text(encoding="utf-8")))

    def accepts(self, model: Any) -> bool:
        return isinstance(model, Sample)

    def built_in(self, model: Sample, target: Target) -> BuiltInSample:
        return BuiltInSample(model)


FRAMEWORK = SampleFramework()
