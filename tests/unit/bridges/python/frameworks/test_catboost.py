"""CatBoost: predictions are those of the library itself, given the types it was trained with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyhost.data.payload import Payload
from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError, SchemaMismatch

ROWS = np.arange(120)
FRAME = pd.DataFrame(
    {
        "code": np.array(["001", "02", "NA", "true"])[ROWS % 4],
        "whole": ROWS % 5,
        "x": np.sin(ROWS),
        "words": np.array(["red fox", "1", "blue 7"])[ROWS % 3],
    }
)
Y = FRAME["x"] + (FRAME["code"] == "001") * 2 + FRAME["whole"] * 0.3
CLASSES = np.where(Y > 1, "yes", "no")
CATEGORIES = ["code", "whole"]
COLUMNS = ["code", "whole", "x"]
VALUE = Target(TargetType.REGRESSION)
BINARY = Target(TargetType.BINARY, ("yes", "no"))
SMALL = {"iterations": 8, "depth": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1}


@pytest.fixture(scope="module")
def catboost(need):
    return need("catboost")


@pytest.fixture(scope="module")
def regressor(catboost):
    model = catboost.CatBoostRegressor(cat_features=CATEGORIES, **SMALL)
    return model.fit(FRAME[COLUMNS], Y)


@pytest.fixture(scope="module")
def classifier(catboost):
    return catboost.CatBoostClassifier(cat_features=CATEGORIES, **SMALL).fit(
        FRAME[COLUMNS], CLASSES
    )


def test_categories_are_the_text_that_came(opened, regressor):
    model = opened(VALUE, "model.pkl", regressor)
    found = model.predict(FRAME[["x", "whole", "code"]].head(8))
    np.testing.assert_array_equal(found["Predictions"], regressor.predict(FRAME[COLUMNS].head(8)))
    assert model.batchable
    kinds = [(column.name, column.kind) for column in model.info.columns]
    assert kinds == [("code", "text"), ("whole", "text"), ("x", "number")]


@pytest.mark.parametrize("row", range(4))
def test_one_row_as_csv_and_json(opened, regressor, row):
    model = opened(VALUE, "model.pkl", regressor)
    one = FRAME[COLUMNS].iloc[[row]]
    expected = regressor.predict(one)
    np.testing.assert_array_equal(model.predict(one)["Predictions"], expected)
    body = json.dumps({"dataframe_records": json.loads(one.to_json(orient="records"))}).encode()
    from polyhost.codecs import Request, dispatch

    request = Request("predict", "drum", "application/json")
    answer = json.loads(dispatch.answer(model.pipeline, request, body).body)
    assert answer == {"predictions": list(expected)}


@pytest.mark.parametrize("own_format", [False, True])
def test_probabilities(opened, classifier, tmp_path: Path, own_format):
    if own_format:
        classifier.save_model(str(tmp_path / "model.cbm"))
        model = opened(BINARY, "model.cbm")
    else:
        model = opened(BINARY, "model.pkl", classifier)
    found = model.predict(FRAME[COLUMNS])
    expected = classifier.predict_proba(FRAME[COLUMNS])
    np.testing.assert_array_equal(found[["no", "yes"]], expected)
    assert model.info.labels == ("no", "yes")


def test_texts_and_an_array(opened, catboost, tmp_path: Path):
    words = catboost.CatBoostRegressor(text_features=["words"], **SMALL)
    words.fit(FRAME[["words", "x"]], Y)
    found = opened(VALUE, "model.pkl", words).predict(FRAME[["x", "words"]])
    np.testing.assert_array_equal(found["Predictions"], words.predict(FRAME[["words", "x"]]))
    plain = catboost.CatBoostRegressor(**SMALL).fit(FRAME[["x", "whole"]].to_numpy(), Y)
    model = opened(VALUE, "model.pkl", plain)
    found = model.predict(FRAME[["x", "whole"]].set_axis(["a", "b"], axis=1))
    np.testing.assert_array_equal(found["Predictions"], plain.predict(FRAME[["x", "whole"]]))
    with pytest.raises(SchemaMismatch, match=r"2 column\(s\)"):
        model.predict(FRAME[["x"]])


def test_counts_are_predicted_as_counts(opened, catboost):
    model = catboost.CatBoostRegressor(loss_function="Poisson", **SMALL)
    model.fit(FRAME[["x"]], FRAME["whole"])
    found = opened(VALUE, "model.pkl", model).predict(FRAME[["x"]])
    np.testing.assert_array_equal(found["Predictions"], model.predict(FRAME[["x"]]))


def test_a_missing_category_or_text_for_a_number_is_refused(opened, regressor):
    model = opened(VALUE, "model.pkl", regressor)
    for body, said in (
        (b"code,whole,x\n001,1,2\n,1,2\n", "row 2"),
        (b"code,whole,x\n001,1,much\n", "column 'x', row 1"),
    ):
        with pytest.raises(SchemaMismatch, match=said):
            model.pipeline.predict(Payload(body, "text/csv"))


def test_a_model_of_values_does_not_classify(opened, regressor):
    with pytest.raises(LoadError, match="'RMSE'"):
        opened(BINARY, "model.pkl", regressor)


def test_the_target_comes_from_the_model(catboost, classifier, regressor):
    from polyhost.bridges.python.frameworks import target_of

    assert target_of(classifier) == (TargetType.BINARY, ("no", "yes"))
    assert target_of(regressor) == (TargetType.REGRESSION, ())
    many = catboost.CatBoostClassifier(**SMALL).fit(FRAME[["x"]], FRAME["whole"])
    assert target_of(many) == (TargetType.MULTICLASS, ("0", "1", "2", "3", "4"))
