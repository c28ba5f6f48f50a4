"""Python models as people make them, with the rows to ask them for and their library's own answers.

A model takes a DataFrame of the types that it was trained with; what it answers there is right.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)
from support.bodies import Column

from polyhost.data.target import Target, TargetType

VALUE = Target(TargetType.REGRESSION)
N = 120

TEXTS = ["red fox", "1000", "blue sky", "007", "NA", "true", "the red sky", "12.50", "fox and sky"]

LEVELS: dict[str, list[Any]] = {
    "code": ["1000", "1001", "guitar"],
    "padded": ["007", "008", "7"],
    "country": ["NA", "DE", "FR"],
    "word": ["true", "false", "maybe"],
    "none": ["None", "nan", "null"],
    "odd": [" lead", "trail ", "a,b", 'q"uote', "größe", "two\nlines"],
    "whole": [1, 2, 10],
    "real": [0.5, 2.0, 1e-7],
    "flag": [True, False],
    "when": [datetime.datetime(2024, 1, 1), datetime.datetime(2024, 5, 31, 12, 30)],
    "text": TEXTS,
}
"""Values of the columns that are drawn from a few; the others are numbers."""

FEW = [name for name in LEVELS if name != "text"]
KINDS = {
    "whole": "integer",
    "real": "number",
    "flag": "boolean",
    "x": "number",
    "i": "integer",
    "text": "text",
    "when": "time",
}


def kind(name: str) -> str:
    return KINDS.get(name, "category")


@dataclass(frozen=True)
class Case:
    """A fitted model; ``types`` are those of the DataFrame that it was fitted on."""

    model: Any
    names: tuple[str, ...]
    types: dict[str, Any]
    target: Target = VALUE
    ask: Callable[[Any, pd.DataFrame], Any] | None = None
    unknown: str = "error"

    def native(self, columns: Sequence[Column]) -> np.ndarray:
        """The library's own answer to rows of the right types."""
        frame = self.frame(columns)
        if self.ask is not None:
            return np.asarray(self.ask(self.model, frame), np.float64)
        if self.target.type.is_classification:
            return np.asarray(self.model.predict_proba(frame), np.float64)
        return np.asarray(self.model.predict(frame), np.float64)

    def frame(self, columns: Sequence[Column]) -> pd.DataFrame:
        return pd.DataFrame(
            {column.name: _series(column, self.types[column.name]) for column in columns}
        )

    def columns(self, rows: int = 12, seed: int = 1) -> list[Column]:
        """Rows to ask for: every level, and a column's own kind."""
        frame = sample(self.names, rows, seed)
        return [Column(name, kind(name), frame[name].tolist()) for name in self.names]


def _series(column: Column, dtype: Any) -> pd.Series:
    cells = [np.nan if cell is None else cell for cell in column.cells]
    if isinstance(dtype, pd.CategoricalDtype):  # an unknown level is missing there
        cells = [cell if cell in dtype.categories else np.nan for cell in cells]
    holes = any(cell is None for cell in column.cells)
    if dtype == "int64" and holes:
        dtype = "float64"
    if dtype == "bool" and holes:
        dtype = "object"
    return pd.Series(cells, dtype=dtype)


def sample(names: Sequence[str], rows: int, seed: int) -> pd.DataFrame:
    """Random rows, in which each level comes."""
    random = np.random.default_rng(seed)
    made: dict[str, Any] = {}
    for name in names:
        if name == "x":
            made[name] = random.normal(size=rows).round(4)
        elif name == "i":
            made[name] = random.integers(0, 50, rows)
        else:
            levels = LEVELS[name]
            places = [*range(len(levels)), *random.integers(0, len(levels), rows)][:rows]
            made[name] = [levels[place] for place in places]
    return pd.DataFrame(made)


def answers(frame: pd.DataFrame) -> np.ndarray:
    """Something to learn, in which each column matters."""
    total = np.zeros(len(frame))
    for i, name in enumerate(frame.columns):
        column = frame[name]
        values = (
            column
            if name in ("x", "i")
            else pd.Series(column.map(repr)).astype("category").cat.codes
        )
        total += (i + 1) * np.asarray(values, np.float64)
    return total


def fitted(estimator: Any, names: Sequence[str], **types: Any) -> Case:
    """A regression of a DataFrame that pandas read."""
    frame = sample(names, N, 0)
    found = {name: types.get(name, str(frame[name].dtype)) for name in names}
    typed = frame.astype({name: each for name, each in found.items() if name in types})
    return Case(estimator.fit(typed, answers(frame)), tuple(names), found)


def one_hot(*names: str, **options: Any) -> Case:
    encode = make_column_transformer(
        (OneHotEncoder(**options), list(names)), (StandardScaler(), ["x"])
    )
    found = fitted(make_pipeline(encode, LinearRegression()), [*names, "x"])
    rule = "error" if options.get("handle_unknown", "error") == "error" else "own"
    return replace(found, unknown=rule)


def imputed(name: str) -> Case:
    branch = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    encode = ColumnTransformer([("c", branch, [name]), ("n", numbers, ["x", "i"])])
    return fitted(make_pipeline(encode, Ridge()), [name, "x", "i"])


def ordinal(name: str) -> Case:
    levels = LEVELS[name] if kind(name) == "integer" else LEVELS[name][::-1]
    encoder = OrdinalEncoder(
        categories=[levels], handle_unknown="use_encoded_value", unknown_value=-1
    )
    encode = make_column_transformer((encoder, [name]), remainder="passthrough")
    found = fitted(make_pipeline(encode, RandomForestRegressor(5, random_state=0)), [name, "x"])
    return replace(found, unknown="own")


def of_array() -> Case:
    """Fitted on an object array: columns have positions and no names."""
    frame = sample(["code", "x"], N, 0)
    encode = make_column_transformer((OneHotEncoder(), [0]), (StandardScaler(), [1]))
    model = make_pipeline(encode, Ridge()).fit(frame.to_numpy(dtype=object), answers(frame))
    types = {"code": "object", "x": "float64"}
    return Case(
        model,
        ("code", "x"),
        types,
        ask=lambda model, rows: model.predict(rows.to_numpy(dtype=object)),
    )


def of_text(*steps: Any, target: Target = VALUE) -> Case:
    """Fitted on a Series of texts."""
    last = LogisticRegression() if target.type.is_classification else Ridge()
    labels = [["no", "yes"][i % 2] for i in range(len(TEXTS))]
    y: Any = labels if target.type.is_classification else list(range(len(TEXTS)))
    model = make_pipeline(*steps, last).fit(pd.Series(TEXTS), y)
    method = "predict_proba" if target.type.is_classification else "predict"
    return Case(
        model,
        ("text",),
        {"text": "object"},
        target,
        ask=lambda model, rows: getattr(model, method)(rows["text"].tolist()),
    )


def of_records() -> Case:
    frame = sample(["code", "x"], N, 0)
    model = make_pipeline(DictVectorizer(), Ridge()).fit(frame.to_dict("records"), answers(frame))

    def ask(model: Any, rows: pd.DataFrame) -> Any:
        records = rows.to_dict("records")
        return model.predict([{k: v for k, v in each.items() if v == v} for each in records])

    return Case(model, ("code", "x"), {"code": "object", "x": "float64"}, ask=ask, unknown="own")


def marked(marker: Any) -> Case:
    """Texts that an imputer takes as missing: ``marker`` stands for them in training too."""
    frame = pd.DataFrame({"code": ["1000", marker, "guitar", "1001"] * 5}, dtype=object)
    imputer = SimpleImputer(missing_values=marker, strategy="most_frequent")
    model = make_pipeline(imputer, OneHotEncoder(), Ridge()).fit(frame, range(20))

    def ask(model: Any, rows: pd.DataFrame) -> Any:
        cells = [marker if cell != cell else cell for cell in rows["code"]]
        return model.predict(pd.DataFrame({"code": cells}, dtype=object))

    return Case(model, ("code",), {"code": "object"}, ask=ask)


def categories(names: Sequence[str], ordered: Sequence[str] = ()) -> dict[str, Any]:
    """The pandas categories of columns, in the order of their levels here."""
    return {name: pd.CategoricalDtype(LEVELS[name], ordered=name in ordered) for name in names}


LIGHTGBM = {"n_estimators": 15, "min_child_samples": 3, "verbose": -1}


def light(names: Sequence[str], ordered: Sequence[str] = ()) -> Case:
    types = categories([*names, *ordered], ordered)
    found = fitted(lightgbm.LGBMRegressor(**LIGHTGBM), [*names, "x", *ordered, "i"], **types)
    return replace(found, unknown="missing")


def light_booster(names: Sequence[str]) -> Case:
    found = light(names)
    return replace(found, model=found.model.booster_)


def extreme(names: Sequence[str]) -> Case:
    model = xgboost.XGBRegressor(n_estimators=15, enable_categorical=True)
    return fitted(model, [*names, "x", "i"], **categories(names))


def extreme_booster(names: Sequence[str]) -> Case:
    found = extreme(names)

    def ask(booster: Any, rows: pd.DataFrame) -> Any:
        return booster.predict(xgboost.DMatrix(rows, enable_categorical=True))

    return replace(found, model=found.model.get_booster(), ask=ask)


def histogram(names: Sequence[str]) -> Case:
    model = HistGradientBoostingRegressor(max_iter=15, categorical_features="from_dtype")
    found = fitted(model, [*names, "x"], **categories(names))
    return replace(found, unknown="missing")


def binary_of(estimator: Any, names: Sequence[str], **types: Any) -> Case:
    frame = sample(names, N, 0)
    y = np.where(answers(frame) > np.median(answers(frame)), "yes", "no")
    found = {name: types.get(name, str(frame[name].dtype)) for name in names}
    model = estimator.fit(frame.astype(types), y)
    return Case(model, tuple(names), found, Target(TargetType.BINARY, ("yes", "no")))


def _same(frame: Any) -> Any:
    return frame


CASES: dict[str, Callable[[], Case]] = {
    **{f"one-hot-{name}": lambda name=name: one_hot(name) for name in FEW},
    "one-hot-all": lambda: one_hot(*FEW),
    "one-hot-ignore": lambda: one_hot("code", "whole", "flag", handle_unknown="ignore"),
    "one-hot-infrequent": lambda: one_hot(
        "code", "padded", handle_unknown="infrequent_if_exist", min_frequency=45
    ),
    "imputed": lambda: imputed("country"),
    "imputed-codes": lambda: imputed("code"),
    "imputed-whole": lambda: imputed("whole"),
    "ordinal": lambda: ordinal("padded"),
    "ordinal-whole": lambda: ordinal("whole"),
    "target-encoder": lambda: replace(
        fitted(
            make_pipeline(
                make_column_transformer((TargetEncoder(cv=KFold(5)), ["code", "word"])), Ridge()
            ),
            ["code", "word"],
        ),
        unknown="own",
    ),
    "bins": lambda: fitted(make_pipeline(KBinsDiscretizer(4), Ridge()), ["x", "i"]),
    "numbers": lambda: fitted(RandomForestRegressor(5, random_state=0), ["x", "i", "flag"]),
    "grid": lambda: fitted(
        GridSearchCV(
            make_pipeline(
                make_column_transformer((OneHotEncoder(), ["padded"]), ("passthrough", ["x"])),
                Ridge(),
            ),
            {"ridge__alpha": [0.1, 1.0]},
            cv=2,
        ),
        ["padded", "x"],
    ),
    "voting": lambda: fitted(
        TransformedTargetRegressor(
            VotingRegressor(
                [
                    ("a", make_pipeline(OneHotEncoder(), Ridge())),
                    ("b", make_pipeline(OrdinalEncoder(), Ridge())),
                ]
            )
        ),
        ["padded", "code"],
    ),
    "own-function": lambda: fitted(
        make_pipeline(FunctionTransformer(_same), StandardScaler(), Ridge()), ["x", "i"]
    ),
    "array": of_array,
    "tfidf": lambda: of_text(TfidfVectorizer(token_pattern=r"\S+")),
    "tfidf-binary": lambda: of_text(
        TfidfVectorizer(token_pattern=r"\S+"), target=Target(TargetType.BINARY, ("yes", "no"))
    ),
    "count": lambda: of_text(CountVectorizer(analyzer="char"), StandardScaler(with_mean=False)),
    "hashing": lambda: of_text(HashingVectorizer(n_features=32)),
    "text-union": lambda: of_text(
        FeatureUnion(
            [("a", TfidfVectorizer(analyzer="char")), ("b", CountVectorizer(token_pattern=r"\S+"))]
        )
    ),
    "records": of_records,
    "marker-none": lambda: marked(None),
    "marker-text": lambda: marked("?"),
    "lightgbm": lambda: light(["code", "country", "whole", "real", "flag", "word"]),
    "lightgbm-ordered": lambda: light(["code", "country"], ["padded", "odd"]),
    "lightgbm-booster": lambda: light_booster(["padded", "whole"]),
    "lightgbm-binary": lambda: replace(
        binary_of(lightgbm.LGBMClassifier(**LIGHTGBM), ["padded", "x"], **categories(["padded"])),
        unknown="missing",
    ),
    "xgboost": lambda: extreme(["code", "country", "whole", "word"]),
    "xgboost-booster": lambda: extreme_booster(["padded", "whole"]),
    "histogram": lambda: histogram(["code", "country", "whole", "word"]),
}
