"""The flavor ``xgboost``: a booster, or one of its scikit-learn wrappers, in XGBoost's own file."""

from __future__ import annotations

import importlib
from typing import Any, Union

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.bridges.python.mlflow.boosters import BoosterModel
from polyhost.bridges.python.mlflow.estimator import EstimatorModel
from polyhost.bridges.python.mlflow.saved import SavedModel
from polyhost.errors import LoadError

NAME = "xgboost"
_BOOSTER = "xgboost.core.Booster"


def load(model: SavedModel) -> Union[BoosterModel, EstimatorModel]:
    """The model of a folder."""
    xgboost = library(NAME)
    attributes = model.attributes(NAME)
    path = model.file(attributes.get("data"), model.pyfunc.get("data"), "model.xgb")
    loaded = _class(str(attributes.get("model_class") or _BOOSTER))()
    loaded.load_model(str(path))
    if not isinstance(loaded, xgboost.Booster):
        return EstimatorModel(loaded, str(model.pyfunc.get("predict_fn") or "predict"), NAME)
    names = loaded.feature_names

    def run(data: Any, **named: Any) -> Any:
        if frames.is_frame(data):
            return loaded.predict(xgboost.DMatrix(data), **named)
        return loaded.predict(xgboost.DMatrix(data, feature_names=names), **named)

    return BoosterModel(NAME, loaded, run, names, loaded.num_features())


def _class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    if module.partition(".")[0] != NAME:
        raise LoadError(
            f"the MLmodel file names the class {path!r}: expected one of {NAME}.", language="python"
        )
    return getattr(importlib.import_module(module), name)
