"""What each library's model says that it was trained for."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from polyhost.bridges.python.frameworks import target_of
from polyhost.data.target import TargetType

X = np.random.default_rng(0).random((40, 3))
TWO = np.where(X[:, 0] > 0.5, "yes", "no")
THREE = np.digitize(X[:, 0], [0.3, 0.6])
SEVERAL = (X > 0.5).astype(int)


def booster(**parameters: object) -> xgboost.Booster:
    data = xgboost.DMatrix(X, label=THREE > 0 if "binary" in str(parameters) else THREE)
    return xgboost.train(parameters, data, num_boost_round=2)


def light(**parameters: object) -> lightgbm.Booster:
    return lightgbm.train(
        {"verbose": -1, **parameters}, lightgbm.Dataset(X, THREE > 0), num_boost_round=2
    )


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: LogisticRegression().fit(X, TWO), (TargetType.BINARY, ("no", "yes"))),
        (
            lambda: make_pipeline(StandardScaler(), RandomForestClassifier(3)).fit(X, THREE),
            (TargetType.MULTICLASS, ("0", "1", "2")),
        ),
        (lambda: Ridge().fit(X, X[:, 0]), (TargetType.REGRESSION, ())),
        (lambda: IsolationForest(n_estimators=3).fit(X), (TargetType.ANOMALY, ())),
        (lambda: OneVsRestClassifier(LogisticRegression()).fit(X, SEVERAL), None),
        (lambda: RandomForestClassifier(3).fit(X, SEVERAL), None),
        (lambda: MLPClassifier((2,), max_iter=1000, tol=0.1).fit(X, SEVERAL), None),
        (lambda: StandardScaler().fit(X), None),
        (
            lambda: xgboost.XGBClassifier(n_estimators=2).fit(X, THREE),
            (TargetType.MULTICLASS, ("0", "1", "2")),
        ),
        (lambda: booster(objective="reg:squarederror"), (TargetType.REGRESSION, ())),
        (lambda: booster(objective="binary:logistic"), (TargetType.BINARY, ())),
        (lambda: booster(objective="rank:pairwise"), None),
        (lambda: light(objective="regression"), (TargetType.REGRESSION, ())),
        (lambda: light(objective="binary"), (TargetType.BINARY, ())),
        (lambda: object(), None),
    ],
)
def test_what_a_model_was_trained_for(make, expected):
    assert target_of(make()) == expected
