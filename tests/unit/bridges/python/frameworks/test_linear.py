"""Linear models are computed without the library's checks only where that gives the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVR
from sklearn.tree import DecisionTreeRegressor

from polyhost.bridges.python.frameworks.linear import direct

Function = Callable[[np.ndarray], Any]
DIABETES, IRIS, CANCER = (
    load(return_X_y=True) for load in (load_diabetes, load_iris, load_breast_cancer)
)


class Doubled(LinearRegression):
    def predict(self, rows: Any) -> Any:
        return 2 * super().predict(rows)


def classifier(**settings: Any) -> LogisticRegression:
    return LogisticRegression(max_iter=5000, **settings)


QUICK = {
    "two classes": (classifier().fit(*CANCER), "predict_proba"),
    "three classes": (classifier().fit(*IRIS), "predict_proba"),
    "scaled": (make_pipeline(StandardScaler(), classifier()).fit(*CANCER), "predict_proba"),
    "centred": (make_pipeline(StandardScaler(with_std=False), Ridge()).fit(*DIABETES), "predict"),
    "ridge": (Ridge().fit(*DIABETES), "predict"),
    "lasso": (Lasso().fit(*DIABETES), "predict"),
    "no intercept": (LinearRegression(fit_intercept=False).fit(*DIABETES), "predict"),
    "two targets": (
        LinearRegression().fit(DIABETES[0], np.column_stack([DIABETES[1], -DIABETES[1]])),
        "predict",
    ),
}
OTHERS = {
    "a classifier's labels": (classifier().fit(*CANCER), "predict"),
    "another rule of probabilities": (
        SGDClassifier(loss="modified_huber", random_state=1).fit(*IRIS),
        "predict_proba",
    ),
    "another scaler": (make_pipeline(MinMaxScaler(), Ridge()).fit(*DIABETES), "predict"),
    "a subclass": (Doubled().fit(*DIABETES), "predict"),
    "a tree": (DecisionTreeRegressor(max_depth=3).fit(*DIABETES), "predict"),
    "another module": (LinearSVR(random_state=1).fit(*DIABETES), "predict"),
    "nested": (MultiOutputRegressor(Ridge()).fit(DIABETES[0], DIABETES[0][:, :2]), "predict"),
}


def method(case: tuple[Any, str]) -> tuple[Any, Function]:
    model, name = case
    return model, getattr(model, name)


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("rows", [1, 2, 5, 100])
def test_every_bit_is_the_librarys(name: str, rows: int) -> None:
    model, library = method(QUICK[name])
    rng = np.random.default_rng(rows)
    matrix = rng.normal(scale=50, size=(rows, model.n_features_in_))
    kept = matrix.copy()
    quick = direct(model, library)
    assert quick != library
    found = quick(matrix)
    np.testing.assert_array_equal(found, library(kept), strict=True)
    np.testing.assert_array_equal(matrix, kept)  # the caller's


@pytest.mark.parametrize("name", OTHERS)
def test_other_models_are_left_to_the_library(name: str) -> None:
    model, library = method(OTHERS[name])
    assert direct(model, library) == library


def test_a_model_whose_method_was_replaced_is_left_to_it() -> None:
    model = Ridge().fit(*DIABETES)
    model.predict = lambda rows: np.zeros(len(rows))
    assert direct(model, model.predict)(np.ones((2, 10))).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "matrix",
    [
        np.full((1, 10), np.nan),
        np.full((2, 10), np.inf),
        np.ones((1, 9)),
        np.ones(10),
        np.empty((0, 10)),
    ],
    ids=["NaN", "infinity", "too few columns", "no matrix", "no rows"],
)
def test_what_the_library_refuses_is_refused_by_it(matrix: np.ndarray) -> None:
    model = Ridge().fit(*DIABETES)
    with pytest.raises(ValueError, match=r"NaN|infinity|features|Expected 2D|0 sample"):
        direct(model, model.predict)(matrix)


def test_finite_numbers_whose_sum_is_not_are_answered() -> None:
    model = Ridge().fit(*DIABETES)
    matrix = np.full((1, 10), 1.7e308)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(
            direct(model, model.predict)(matrix), model.predict(matrix), strict=True
        )


def test_a_model_that_changes_answers_as_it_is_then() -> None:
    model = Ridge().fit(*DIABETES)
    quick = direct(model, model.predict)
    model.intercept_ += 5
    matrix = np.ones((3, 10))
    np.testing.assert_array_equal(quick(matrix), model.predict(matrix), strict=True)
