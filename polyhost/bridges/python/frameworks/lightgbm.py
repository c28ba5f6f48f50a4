"""LightGBM's native boosters. Its wrappers are scikit-learn estimators like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from polyhost.bridges.python.frameworks import estimators, pickled
from polyhost.bridges.python.frameworks.arrays import ArrayModel, as_table, check_width
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.data.payload import Table
from polyhost.data.target import Target
from polyhost.errors import SchemaMismatch
from polyhost.predictor import ColumnInfo, GuestInfo

NAME = "lightgbm"


class LightGBMFramework:
    """``Booster.predict``: one value, or one probability for each class."""

    name = NAME
    extensions = (".pkl", ".joblib")

    def load(self, artifact: Path) -> Any:
        return pickled.load(artifact)

    def accepts(self, model: Any) -> bool:
        return estimators.derives(model, "lightgbm.basic", "Booster")

    def built_in(self, model: Any, target: Target) -> Any:
        if getattr(model, "pandas_categorical", None):
            return CategoricalBooster(model, target)
        return ArrayModel(
            NAME,
            target,
            columns_of(model),
            model.predict,
            dtype=np.float64,
            width=model.num_model_per_iteration(),
            row_wise=True,
        )


class CategoricalBooster:
    """A booster with categories of text, which only a DataFrame can tell."""

    def __init__(self, booster: Any, target: Target) -> None:
        check_width(booster.num_model_per_iteration(), target, NAME)
        self._booster = booster
        self._target = target
        self._columns = columns_of(booster)
        self.info = GuestInfo(
            framework=NAME,
            columns=tuple(ColumnInfo(name) for name in self._columns.names or ()),
            schema_source="model" if self._columns.names else "nothing",
            row_wise=True,
            spelling=self._columns.spelling,
        )

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table."""
        frame = self._columns.frame(data)
        texts = [name for name in frame.columns if frame[name].dtype.kind not in "biuf"]
        frame = frame.astype(dict.fromkeys(texts, "category"))
        try:
            found = self._booster.predict(frame)
        except ValueError as error:
            raise SchemaMismatch(f"the model cannot take this data: {error}") from error
        return as_table(found, self._target)


def columns_of(booster: Any) -> Columns:
    """A booster's columns. Made-up names (``Column_0``) mean that it was given none."""
    names = booster.feature_name()
    if names == [f"Column_{i}" for i in range(len(names))]:
        return Columns(width=len(names))
    return Columns(names, spelling="underscores")
