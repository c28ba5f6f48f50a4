"""The flavor ``lightgbm``: a booster in LightGBM's own text, or a pickled wrapper."""

from __future__ import annotations

from typing import Any, Union

from polyhost.bridges.python.frameworks.boosters import lightgbm_names
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.bridges.python.mlflow import sklearn_flavor
from polyhost.bridges.python.mlflow.boosters import BoosterModel
from polyhost.bridges.python.mlflow.estimator import EstimatorModel
from polyhost.bridges.python.mlflow.saved import SavedModel

NAME = "lightgbm"
_BOOSTER = "lightgbm.basic.Booster"


def load(model: SavedModel) -> Union[BoosterModel, EstimatorModel]:
    """The model of a folder."""
    lightgbm = library(NAME)
    attributes = model.attributes(NAME)
    path = model.file(attributes.get("data"), model.pyfunc.get("data"), "model.lgb")
    if (attributes.get("model_class") or _BOOSTER) != _BOOSTER:
        estimator = sklearn_flavor.read(model, path, attributes)
        return EstimatorModel(estimator, str(model.pyfunc.get("predict_fn") or "predict"), NAME)
    booster: Any = lightgbm.Booster(model_file=str(path))
    names = lightgbm_names(booster)
    return BoosterModel(NAME, booster, booster.predict, names, booster.num_feature())
