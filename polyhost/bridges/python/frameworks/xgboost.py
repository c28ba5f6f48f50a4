"""XGBoost: native boosters, and pipelines that end in one of its scikit-learn wrappers.

A wrapper on its own is a scikit-learn estimator like any other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, Optional

import numpy as np

from polyhost.bridges.python.frameworks import boosters, estimators, pickled
from polyhost.bridges.python.frameworks.arrays import ArrayModel
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.bridges.python.frameworks.sklearn import SklearnModel
from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError
from polyhost.predictor import ArtifactTarget

NAME = "xgboost"
_CLASS_NUMBERS = "multi:softmax"
_CATEGORY = "c"


class XGBoostFramework:
    """``Booster.predict`` for native ones; what scikit-learn does for pipelines."""

    name = NAME
    extensions = (".pkl", ".joblib")

    def load(self, artifact: Path) -> Any:
        return pickled.load(artifact)

    def accepts(self, model: Any) -> bool:
        return estimators.derives(model, "xgboost.core", "Booster") or _is_pipeline(model)

    def built_in(self, model: Any, target: Target) -> Any:
        if _is_pipeline(model):
            return SklearnModel(model, target, framework=NAME)
        learner = _learner(model)
        _check_objective(learner, target)
        return ArrayModel(
            NAME,
            target,
            Columns(model.feature_names, model.num_features()),
            _predict_method(model, learner),
            dtype=np.float64,
            width=_width(learner),
            row_wise=True,
            expected=boosters.expected_by_xgboost(model),
            target_type=_target_type(learner["objective"]["name"]),
        )

    def target_of(self, model: Any) -> Optional[ArtifactTarget]:
        """What a booster was trained for, by its objective; it does not hold its labels."""
        kind = _target_type(_learner(model)["objective"]["name"])
        return None if kind is None else (TargetType.parse(kind), ())


def _is_pipeline(model: Any) -> bool:
    last = estimators.last_step(model)
    return last is not None and any(
        kind.__module__ == "xgboost.sklearn" for kind in type(last).__mro__
    )


def _predict_method(booster: Any, learner: Dict[str, Any]) -> Callable[[np.ndarray], Any]:
    """Predict from a matrix whose columns are the booster's, in its order."""
    names, types = booster.feature_names, booster.feature_types
    categories = _CATEGORY in (types or ())
    if not categories and learner["gradient_booster"]["name"] != "gblinear":
        return booster.inplace_predict  # type: ignore[no-any-return]
    xgboost = library("xgboost")

    def predict(matrix: np.ndarray) -> Any:
        data = xgboost.DMatrix(
            matrix, feature_names=names, feature_types=types, enable_categorical=categories
        )
        return booster.predict(data)

    return predict


def _learner(booster: Any) -> Dict[str, Any]:
    found: Dict[str, Any] = json.loads(booster.save_config())["learner"]
    return found


def _target_type(objective: str) -> Optional[str]:
    """The target type that a booster was trained for, by its objective."""
    known = {"binary:logistic": "binary", "multi:softprob": "multiclass"}
    if objective in known:
        return known[objective]
    return "regression" if objective.startswith(("reg:", "count:")) else None


def _width(learner: Dict[str, Any]) -> int:
    """Columns that a booster answers."""
    parameters = learner["learner_model_param"]
    return int(parameters.get("num_class", 0)) or int(parameters.get("num_target", 1))


def _check_objective(learner: Dict[str, Any], target: Target) -> None:
    objective = learner["objective"]["name"]
    if target.type.is_classification and objective == _CLASS_NUMBERS:
        raise LoadError(
            f"the xgboost model was trained with objective {objective!r}, which answers class "
            f"numbers: expected probabilities for target type {target.type.value!r}. Train it "
            "with multi:softprob, or define a score hook.",
            language="python",
            found=objective,
        )
