"""XGBoost and LightGBM: predictions are those of the library itself, from a DataFrame."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from polyhost.data.payload import Payload
from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError, SchemaMismatch

X, Y = load_iris(return_X_y=True, as_frame=True)
X.iloc[3, 1] = np.nan
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
SHUFFLED = X[reversed(list(X.columns))]
VALUE = Target(TargetType.REGRESSION)
BINARY = Target(TargetType.BINARY, ("yes", "no"))
CLASSES = Target(TargetType.MULTICLASS, ("a", "b", "c"))
SPECIES = Target(TargetType.MULTICLASS, ("virginica", "setosa", "versicolor"))


@pytest.fixture(scope="module")
def xgboost(need):
    return need("xgboost")


@pytest.fixture(scope="module")
def lightgbm(need):
    return need("lightgbm")


def xgb_booster(xgboost, label, **parameters):
    data = xgboost.DMatrix(X, label)
    return xgboost.train({"max_depth": 3, **parameters}, data, num_boost_round=5)


def lgb_booster(lightgbm, label, frame=X, **parameters):
    data = lightgbm.Dataset(frame, label)
    return lightgbm.train({"verbose": -1, **parameters}, data, num_boost_round=5)


# XGBoost


def test_a_native_booster_gives_the_positive_probability(opened, xgboost):
    booster = xgb_booster(xgboost, Y == 1, objective="binary:logistic")
    model = opened(BINARY, "model.pkl", booster)
    expected = booster.predict(xgboost.DMatrix(X))
    found = model.predict(SHUFFLED)
    assert list(found.columns) == ["no", "yes"]
    np.testing.assert_array_equal(found["yes"], expected)
    assert (model.info.framework, model.batchable) == ("xgboost", True)


@pytest.mark.filterwarnings("default")  # gblinear is deprecated, and pickles of it are about
@pytest.mark.parametrize("booster_kind", ["gbtree", "gblinear", "dart"])
def test_a_native_boosters_values(opened, xgboost, booster_kind):
    booster = xgb_booster(xgboost, X.iloc[:, 0], booster=booster_kind)
    found = opened(VALUE, "model.pkl", booster).predict(X)
    assert list(found.columns) == ["Predictions"]
    np.testing.assert_array_equal(found["Predictions"], booster.predict(xgboost.DMatrix(X)))


def test_a_native_boosters_classes_are_applied_by_position(opened, xgboost):
    booster = xgb_booster(xgboost, Y, objective="multi:softprob", num_class=3)
    found = opened(CLASSES, "model.pkl", booster).predict(X)
    expected = pd.DataFrame(booster.predict(xgboost.DMatrix(X)), columns=["a", "b", "c"])
    pd.testing.assert_frame_equal(found, expected)


def test_a_booster_without_names_takes_columns_by_position(opened, xgboost):
    data = xgboost.DMatrix(X.to_numpy(), X.iloc[:, 0])
    model = opened(VALUE, "model.pkl", xgboost.train({}, data, num_boost_round=3))
    model.predict(X.set_axis(["a", "b", "c", "d"], axis=1))
    with pytest.raises(SchemaMismatch, match=r"takes 4 column\(s\) by position: found 3"):
        model.predict(X.iloc[:, :3])


def test_class_numbers_are_refused_at_load(opened, xgboost):
    booster = xgb_booster(xgboost, Y, objective="multi:softmax", num_class=3)
    with pytest.raises(LoadError, match="multi:softprob"):
        opened(CLASSES, "model.pkl", booster)


def test_a_booster_of_other_classes_is_refused_at_load(opened, xgboost):
    booster = xgb_booster(xgboost, Y, objective="multi:softprob", num_class=3)
    with pytest.raises(LoadError, match=r"answers 3 column\(s\): expected 4"):
        opened(Target(TargetType.MULTICLASS, tuple("abcd")), "model.pkl", booster)


def test_a_wrapper_is_a_scikit_learn_estimator(opened, xgboost):
    wrapper = xgboost.XGBClassifier(n_estimators=3).fit(X, Y)
    model = opened(Target(TargetType.MULTICLASS, ("0", "1", "2")), "model.pkl", wrapper)
    np.testing.assert_array_equal(model.predict(SHUFFLED), wrapper.predict_proba(X))
    assert (model.info.framework, model.info.matrix) == ("scikit-learn", True)
    assert model.info.labels == ("0", "1", "2")


def test_a_pipeline_that_ends_in_a_wrapper(opened, xgboost):
    pipeline = make_pipeline(StandardScaler(), xgboost.XGBRegressor(n_estimators=3))
    pipeline.fit(X, X.iloc[:, 0])
    model = opened(VALUE, "model.pkl", pipeline)
    np.testing.assert_array_equal(model.predict(X)["Predictions"], pipeline.predict(X))
    assert (model.info.framework, model.batchable) == ("xgboost", True)


def test_a_sparse_body_means_zeros_to_a_wrapper(opened, xgboost):
    wrapper = xgboost.XGBRegressor(n_estimators=3).fit(X.to_numpy(), X.iloc[:, 0])
    body = b"%%MatrixMarket matrix coordinate real general\n1 4 1\n1 3 1.5\n"
    found = opened(VALUE, "model.pkl", wrapper).pipeline.predict(Payload(body, "text/mtx"))
    expected = wrapper.predict(np.array([[0, 0, 1.5, 0]]))
    np.testing.assert_array_equal(found.predictions.columns[0], expected)


def test_text_is_refused_by_a_booster(opened, xgboost):
    model = opened(VALUE, "model.pkl", xgb_booster(xgboost, X.iloc[:, 0]))
    with pytest.raises(
        SchemaMismatch, match="row 1: found 'long' where the model expects a number"
    ):
        model.predict(X.assign(**{X.columns[0]: "long"}))


# LightGBM


def test_lightgbm_wrappers_are_scikit_learn_estimators(opened, lightgbm):
    wrapper = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(X, NAMES)
    model = opened(SPECIES, "model.pkl", wrapper)
    expected = pd.DataFrame(wrapper.predict_proba(X), columns=wrapper.classes_)
    pd.testing.assert_frame_equal(model.predict(SHUFFLED), expected, check_column_type=False)
    assert (model.info.framework, model.info.matrix, model.batchable) == (
        "scikit-learn",
        True,
        True,
    )


def test_lightgbm_boosters(opened, lightgbm):
    booster = lgb_booster(lightgbm, Y == 1, objective="binary")
    model = opened(BINARY, "model.pkl", booster)
    np.testing.assert_array_equal(model.predict(SHUFFLED)["yes"], booster.predict(X))
    assert model.info.framework == "lightgbm"


def test_lightgbm_classes(opened, lightgbm):
    booster = lgb_booster(lightgbm, Y, objective="multiclass", num_class=3)
    found = opened(CLASSES, "model.pkl", booster).predict(X)
    np.testing.assert_array_equal(found, booster.predict(X))


def test_lightgbm_categories_of_text(opened, lightgbm):
    frame = X.assign(kind=pd.Categorical(NAMES))
    booster = lgb_booster(lightgbm, X.iloc[:, 0], frame)
    model = opened(VALUE, "model.pkl", booster)
    some = frame.iloc[[120, 3]]  # a request that lacks one of the categories
    np.testing.assert_array_equal(model.predict(some)["Predictions"], booster.predict(some))
    assert not model.info.matrix
