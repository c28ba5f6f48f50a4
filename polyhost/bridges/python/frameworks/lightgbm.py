"""LightGBM's native boosters. Its wrappers are scikit-learn estimators like any other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Optional

import numpy as np

from polyhost.bridges.python.frameworks import boosters, estimators, pickled
from polyhost.bridges.python.frameworks.arrays import ArrayModel
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.data.target import Target, TargetType
from polyhost.predictor import ArtifactTarget

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
        return ArrayModel(
            NAME,
            target,
            columns_of(model),
            model.predict,
            dtype=np.float64,
            width=model.num_model_per_iteration(),
            row_wise=True,
            expected=boosters.expected_by_lightgbm(model),
            target_type=_TARGETS.get(_objective(model)),
        )

    def target_of(self, model: Any) -> Optional[ArtifactTarget]:
        """What a booster was trained for, by its objective; it does not hold its labels."""
        kind = _TARGETS.get(_objective(model))
        return None if kind is None else (TargetType.parse(kind), ())


_TARGETS = {
    "binary": "binary",
    "cross_entropy": "binary",
    "multiclass": "multiclass",
    "multiclassova": "multiclass",
    **dict.fromkeys(["regression", "regression_l1", "huber", "fair", "poisson"], "regression"),
    **dict.fromkeys(["quantile", "mape", "gamma", "tweedie"], "regression"),
}
"""Target types by a booster's objective."""


def _objective(booster: Any) -> str:
    """The objective that a booster's own text names, without its parameters."""
    found = re.search(r"^objective=(\S+)", booster.model_to_string(num_iteration=1), re.MULTILINE)
    return found[1] if found else ""


def columns_of(booster: Any) -> Columns:
    """A booster's columns, by position where it was given no names."""
    return Columns(boosters.lightgbm_names(booster), booster.num_feature(), "underscores")
