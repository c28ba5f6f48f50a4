"""The flavor ``catboost``: a model in CatBoost's own file."""

from __future__ import annotations

from typing import Any

from polyhost.bridges.python.frameworks.libraries import library
from polyhost.bridges.python.mlflow.plain import PlainModel
from polyhost.bridges.python.mlflow.saved import SavedModel

NAME = "catboost"
_CLASSES = ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker")


def load(model: SavedModel) -> PlainModel:
    """The model of a folder."""
    catboost = library(NAME)
    attributes = model.attributes(NAME)
    path = model.file(attributes.get("data"), model.pyfunc.get("data"), "model.cb")
    kind = str(attributes.get("model_type"))
    loaded: Any = getattr(catboost, kind if kind in _CLASSES else "CatBoost")()
    loaded.load_model(str(path), format=str(attributes.get("save_format") or "cbm"))
    return PlainModel(NAME, loaded, loaded.predict, row_wise=True)
