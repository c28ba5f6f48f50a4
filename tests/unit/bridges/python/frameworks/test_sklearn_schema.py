"""What is read from a fitted estimator of its columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import AdaBoostRegressor, BaggingRegressor, StackingRegressor
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import RFE
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from polyhost.bridges.python.frameworks.given import column_infos
from polyhost.bridges.python.frameworks.sklearn_schema import inputs_of

FRAME = pd.DataFrame(
    {
        "city": ["Rome", "Oslo", "Rome", "Bonn"] * 10,
        "code": ["007", "008", "7", "007"] * 10,
        "n": np.arange(40) % 3,
        "x": np.linspace(0, 1, 40),
        "flag": [True, False] * 20,
        "when": pd.to_datetime(["2024-01-01", "2024-05-31"] * 20),
        "text": ["red fox", "blue sky", "red sky", "fox"] * 10,
    }
)
Y = FRAME["x"] + FRAME["n"]
CLASSES = np.where(Y > 1, "yes", "no")


class Own(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """An author's own step."""

    def fit(self, rows: Any, y: Any = None) -> Own:
        self.fitted_ = True
        return self

    def transform(self, rows: Any) -> Any:
        return rows


def seen(model: Any) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {info.name: (info.kind, info.levels) for info in column_infos(inputs_of(model))}


def fit(model: Any, *names: str, y: Any = Y) -> Any:
    return model.fit(FRAME[list(names)], y)


NUMBER = ("number", ())
ANY = ("any", ())
CITY = ("category", ("Bonn", "Oslo", "Rome"))
CODE = ("category", ("007", "008", "7"))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            lambda: fit(make_pipeline(StandardScaler(), Ridge()), "n", "x"),
            {"n": NUMBER, "x": NUMBER},
        ),
        (
            lambda: fit(make_pipeline(OneHotEncoder(), Ridge()), "city", "n", "flag"),
            {
                "city": CITY,
                "n": ("category", ("0", "1", "2")),
                "flag": ("category", ("False", "True")),
            },
        ),
        (lambda: fit(make_pipeline(OneHotEncoder(), Ridge()), "when"), {"when": ("time", ())}),
        (
            lambda: fit(
                make_pipeline(
                    make_column_transformer(
                        (OneHotEncoder(), make_column_selector(dtype_include=["str", "object"])),
                        (make_pipeline(KNNImputer(), StandardScaler()), ["n"]),
                        (TfidfVectorizer(), "text"),
                        ("drop", ["flag"]),
                        remainder="passthrough",
                    ),
                    Ridge(),
                ),
                *("city", "n", "x", "flag"),
                "text",
            ),
            {"city": CITY, "n": NUMBER, "x": NUMBER, "flag": ANY, "text": ("text", ())},
        ),
        (
            lambda: fit(
                make_pipeline(SimpleImputer(strategy="most_frequent"), OrdinalEncoder(), Ridge()),
                "city",
                "code",
            ),
            {"city": CITY, "code": CODE},
        ),
        # An imputer that drops a column: the next ones move up.
        (
            lambda: make_pipeline(
                SimpleImputer(strategy="most_frequent"), OneHotEncoder(), Ridge()
            ).fit(
                FRAME[["city", "code"]]
                .assign(none=np.nan)[["none", "city", "code"]]
                .astype(object),
                Y,
            ),
            {"none": ("text", ()), "city": CITY, "code": CODE},
        ),
        (
            lambda: fit(SimpleImputer(strategy="constant", fill_value="-"), "city"),
            {"city": ("text", ())},
        ),
        (
            lambda: fit(
                make_pipeline(
                    KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), Ridge()
                ),
                "x",
            ),
            {"x": NUMBER},
        ),
        (
            lambda: fit(make_pipeline(FunctionTransformer(), StandardScaler(), Ridge()), "x"),
            {"x": NUMBER},
        ),
        (lambda: fit(make_pipeline(FunctionTransformer(np.log1p), Ridge()), "x"), {"x": ANY}),
        (lambda: fit(make_pipeline(Own(), OneHotEncoder(), Ridge()), "code"), {}),
        (
            lambda: fit(
                make_pipeline(
                    FeatureUnion([("a", OneHotEncoder()), ("b", OrdinalEncoder())]), Ridge()
                ),
                "code",
            ),
            {"code": CODE},
        ),
        # One branch encodes a column and another computes with it.
        (
            lambda: fit(
                make_column_transformer((OneHotEncoder(), ["n"]), (StandardScaler(), ["n", "x"])),
                "n",
                "x",
            ),
            {"n": NUMBER, "x": NUMBER},
        ),
        (lambda: fit(AdaBoostRegressor(n_estimators=2), "x"), {"x": NUMBER}),
        (lambda: fit(RFE(Ridge(), n_features_to_select=1), "n", "x"), {"n": NUMBER, "x": NUMBER}),
        (
            lambda: fit(
                BaggingRegressor(make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()), 2),
                "code",
            ),
            {"code": ANY},
        ),
        (
            lambda: fit(
                StackingRegressor([("a", make_pipeline(OneHotEncoder(), Ridge()))], Ridge()), "code"
            ),
            {"code": CODE},
        ),
        (
            lambda: fit(
                CalibratedClassifierCV(make_pipeline(OneHotEncoder(), LogisticRegression()), cv=2),
                "code",
                y=CLASSES,
            ),
            {"code": CODE},
        ),
        (
            lambda: make_pipeline(DictVectorizer(), Ridge()).fit(
                FRAME[["code", "x"]].to_dict("records"), Y
            ),
            {"code": CODE, "x": NUMBER},
        ),
        (
            lambda: make_pipeline(TfidfVectorizer(), Ridge()).fit(FRAME["text"], Y),
            {"": ("text", ())},
        ),
        (
            lambda: make_pipeline(FeatureHasher(16), Ridge()).fit(
                FRAME[["code", "x"]].to_dict("records"), Y
            ),
            {},
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
def test_kinds_and_levels(make, expected):
    assert seen(make()) == expected


def test_the_rules_for_unknown_and_missing_levels():
    def rules(**options: Any) -> tuple[str, str]:
        model = fit(make_pipeline(OneHotEncoder(**options), Ridge()), "city")
        (info,) = column_infos(inputs_of(model))
        return info.unknown, info.missing

    assert rules() == ("error", "error")
    assert rules(handle_unknown="ignore") == ("own", "allowed")
    holes = FRAME[["city"]].astype(object).where(FRAME["city"] != "Bonn", np.nan)
    (info,) = column_infos(inputs_of(OneHotEncoder().fit(holes)))
    assert (info.levels, info.missing) == (("Oslo", "Rome"), "allowed")


def test_a_column_that_is_dropped_need_not_come():
    model = fit(make_column_transformer((OneHotEncoder(), ["city"]), remainder="drop"), "city", "x")
    assert [info.required for info in column_infos(inputs_of(model))] == [True, False]


def test_an_estimator_that_is_not_as_its_class_has_it(caplog):
    model = fit(make_pipeline(OneHotEncoder(), Ridge()), "code")
    del model.steps[0][1].categories_
    assert seen(model) == {"code": ANY}
    assert "what Pipeline expects of its columns cannot be read" in caplog.text
