"""What a fitted scikit-learn estimator expects of each column, found by walking through its parts.

A step that hands columns on as they are (an imputer, ``passthrough``) is looked through to the
next one; the first step that computes something says what the column must be. The columns of an
author's own class stay ``any``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from polyhost.bridges.python.frameworks import boosters, estimators
from polyhost.bridges.python.frameworks.expected import Expected, is_missing, merged, of_levels
from polyhost.data.column_info import ANY, CATEGORY, MISSING, NUMBER, OWN, TEXT

logger = logging.getLogger(__name__)

FRAME, ARRAY, COLUMN, RECORDS = "frame", "array", "column", "records"
"""What an estimator is given: a DataFrame, a matrix, one column of texts, or a dict for each row."""

_UNKNOWN = Expected()
_NUMBER = Expected(NUMBER)
_TEXT = Expected(TEXT, missing="error")
_VECTORIZERS = frozenset(["CountVectorizer", "TfidfVectorizer", "HashingVectorizer"])
_HASHERS = frozenset(["FeatureHasher"])
_INNER = {
    "best_estimator_": frozenset(
        ["GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"]
    ),
    "regressor_": frozenset(["TransformedTargetRegressor"]),
    "estimator_": frozenset(
        [
            *("SelfTrainingClassifier", "TunedThresholdClassifierCV"),
            *("FixedThresholdClassifier", "MultiOutputClassifier"),
        ]
    ),
    "estimator": frozenset(["FrozenEstimator"]),
    "estimators_": frozenset(
        [
            *("VotingClassifier", "VotingRegressor", "StackingClassifier", "StackingRegressor"),
            *("OneVsRestClassifier", "MultiOutputClassifier", "MultiOutputRegressor"),
        ]
    ),
    "calibrated_classifiers_": frozenset(["CalibratedClassifierCV"]),
}
"""Estimators that give their rows to others, by the attribute that holds those."""
_ANYTHING = frozenset(
    ["DummyClassifier", "DummyRegressor", "FunctionTransformer", "MissingIndicator"]
)


_LIBRARIES = ("sklearn.", "xgboost.", "lightgbm.")


@dataclass(frozen=True)
class Inputs:
    """What an estimator takes. ``names`` None is by position; ``columns`` None: not known.

    ``spelling`` is how its library spells a name that it was given (``GuestInfo.spelling``).
    """

    form: str
    names: Optional[Tuple[str, ...]] = None
    columns: Optional[Tuple[Expected, ...]] = None
    required: Tuple[bool, ...] = ()
    spelling: str = ""


@dataclass(frozen=True)
class _Seen:
    """What a part expects of its columns, and which of them its output holds as they came: a
    position for each output column, None for a computed one; None when nobody knows."""

    columns: List[Expected]
    outputs: Optional[List[Optional[int]]] = None


def inputs_of(model: Any) -> Inputs:
    """The inputs of a fitted estimator or pipeline; those of one that is not as its class has it
    by its columns' names alone."""
    try:
        return _inputs_of(model)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        logger.warning(
            "what %s expects of its columns cannot be read, they come as pandas reads them: %r",
            type(model).__name__,
            error,
        )
        names = getattr(model, "feature_names_in_", None)
        if names is None:
            return Inputs(FRAME)
        return Inputs(FRAME, tuple(map(str, names)), (_UNKNOWN,) * len(names))


def _inputs_of(model: Any) -> Inputs:
    first = first_step(model)
    if _is_vectorizer(first):
        return Inputs(COLUMN, columns=(_TEXT,), required=(True,))
    if _is(first, "DictVectorizer"):
        return _records(first)
    if _is(first, *_HASHERS):
        return Inputs(RECORDS if first.input_type == "dict" else COLUMN)
    width = getattr(model, "n_features_in_", None)
    if width is None:
        return Inputs(FRAME)
    columns = tuple(_see(model, int(width)).columns)
    required = tuple(_required(model, int(width)))
    if type(first).__module__ == "lightgbm.sklearn":
        names = boosters.lightgbm_names(first.booster_)
        return Inputs(ARRAY if names is None else FRAME, names, columns, required, "underscores")
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return Inputs(ARRAY, None, columns, required)
    return Inputs(FRAME, tuple(map(str, names)), columns, required)


def first_step(model: Any) -> Any:
    """The estimator that a request's rows come to first."""
    while True:
        if estimators.last_step(model) is not None:
            steps = [step for _, step in model.steps if not _is_identity(step)]
            model = steps[0] if steps else model.steps[-1][1]
            continue
        if _is(model, "FeatureUnion"):
            parts = [part for _, part in model.transformer_list if not _is_identity(part)]
            if parts and all(_is_vectorizer(first_step(part)) for part in parts):
                return first_step(parts[0])
            return model
        inner = _inner(model)
        if not inner:
            return model
        model = inner[0]


def _is(part: Any, *names: str) -> bool:
    kind = type(part)
    return kind.__name__ in names and kind.__module__.partition(".")[0] == "sklearn"


def _is_vectorizer(part: Any) -> bool:
    return any(
        kind.__name__ in _VECTORIZERS and kind.__module__.startswith("sklearn.feature_extraction")
        for kind in type(part).__mro__
    )


def _is_identity(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step == "passthrough")


def _is_drop(step: Any) -> bool:
    return isinstance(step, str) and step == "drop"


def _records(vectorizer: Any) -> Inputs:
    """The keys of a DictVectorizer's records: texts make a feature for each value, numbers one."""
    levels: Dict[str, List[str]] = {}
    numbers: Dict[str, None] = {}
    for feature in vectorizer.feature_names_:
        name, separator, level = str(feature).partition(vectorizer.separator)
        if separator:
            levels.setdefault(name, []).append(level)
        else:
            numbers[name] = None
    names = [*dict.fromkeys([*levels, *numbers])]
    columns = [
        Expected(ANY)
        if name in numbers and name in levels
        else _NUMBER
        if name in numbers
        else Expected(CATEGORY, tuple(levels[name]), unknown=OWN)
        for name in names
    ]
    return Inputs(RECORDS, tuple(names), tuple(columns), (False,) * len(names))


def _see(part: Any, width: int) -> _Seen:
    """What a part expects of ``width`` columns that it was fitted on."""
    if _is_identity(part) or hasattr(part, "fit_resample"):  # imbalanced-learn's, not in predict
        return _Seen([_UNKNOWN] * width, list(range(width)))
    if estimators.last_step(part) is not None:
        return _see_steps([step for _, step in part.steps], width)
    kind = type(part)
    known = _KNOWN.get(kind.__name__)
    if kind.__module__.startswith("sklearn.") and known is not None:
        return known(part, width)
    inner = _inner(part)
    if inner:
        return _Seen(_together([_see(each, width).columns for each in inner], width))
    wrapper = boosters.expected_by_wrapper(part)
    if wrapper is not None:
        return _Seen(wrapper if len(wrapper) == width else [_UNKNOWN] * width)
    if not kind.__module__.startswith("sklearn.") or kind.__name__ in _ANYTHING:
        return _Seen([_UNKNOWN] * width)
    if kind.__module__.startswith("sklearn.ensemble._hist_gradient_boosting"):
        return _see_histogram_boosting(part, width)
    if not _only_numbers(part):
        return _Seen([_UNKNOWN] * width)
    return _Seen([_NUMBER] * width, [None] * _width_after(part))


def _inner(part: Any) -> List[Any]:
    for attribute, names in _INNER.items():
        if _is(part, *names) and hasattr(part, attribute):
            found = getattr(part, attribute)
            found = list(found) if isinstance(found, (list, tuple, np.ndarray)) else [found]
            found = [getattr(each, "estimator", each) for each in found]
            return [each for each in found if not isinstance(each, str)]
    return []


def _only_numbers(part: Any) -> bool:
    """Whether the estimators that a part holds, if any, take nothing but numbers; what it has for
    itself alone does not count."""
    public = [value for key, value in vars(part).items() if not key.startswith("_")]
    inner = [each for value in public for each in estimators.parts(value)]
    return not any(
        type(each).__name__ in _TAKES_MORE or not type(each).__module__.startswith(_LIBRARIES)
        for each in inner
    )


def _width_after(part: Any) -> int:
    try:
        return len(part.get_feature_names_out())
    except Exception:  # whatever a third party's names need
        return 0


def _together(parts: Iterable[Sequence[Expected]], width: int) -> List[Expected]:
    found: List[Optional[Expected]] = [None] * width
    for columns in parts:
        found = [merged(before, now) for before, now in zip(found, columns)]
    return [each or _UNKNOWN for each in found]


def _see_steps(steps: Sequence[Any], width: int) -> _Seen:
    found: List[Optional[Expected]] = [None] * width
    sources: List[Optional[int]] = list(range(width))
    outputs: Optional[List[Optional[int]]] = sources
    for step in steps:
        seen = _see(step, len(sources))
        for i, source in enumerate(sources):
            if source is not None:
                found[source] = merged(found[source], seen.columns[i])
        if seen.outputs is None:
            outputs = None
            break
        outputs = [None if at is None else sources[at] for at in seen.outputs]
        sources = outputs
        if all(source is None for source in sources):
            break
    return _Seen([each or _UNKNOWN for each in found], outputs)


def _see_columns(part: Any, width: int) -> _Seen:
    """A ColumnTransformer, branch by branch."""
    found: List[Optional[Expected]] = [None] * width
    slices: Mapping[str, slice] = getattr(part, "output_indices_", {})
    total = max((piece.stop for piece in slices.values() if piece.stop), default=0)
    outputs: List[Optional[int]] = [None] * total
    for name, branch, columns in part.transformers_:
        if _is_drop(branch):
            continue
        places = _places(part, name, columns, width)
        if _is_vectorizer(first_step(branch)) or _is(first_step(branch), *_HASHERS):
            seen = _Seen([_TEXT if _is_vectorizer(first_step(branch)) else _UNKNOWN] * len(places))
        else:
            seen = _see(branch, len(places))
        for place, expected in zip(places, seen.columns):
            found[place] = merged(found[place], expected)
        piece = slices.get(name)
        if seen.outputs and piece is not None and piece.stop - piece.start == len(seen.outputs):
            outputs[piece] = [None if at is None else places[at] for at in seen.outputs]
    return _Seen([each or _UNKNOWN for each in found], outputs)


def _places(part: Any, name: str, columns: Any, width: int) -> List[int]:
    known = getattr(part, "_transformer_to_input_indices", {}).get(name)
    if known is not None:
        return [int(i) for i in known]
    return _resolved(part, columns, width)


def _resolved(part: Any, columns: Any, width: int) -> List[int]:
    """Positions that a branch's column specification stands for (scikit-learn before 1.0)."""
    names = list(getattr(part, "feature_names_in_", ()))
    if isinstance(columns, slice):
        return list(range(width))[columns]
    if isinstance(columns, (str, int, np.integer)):
        columns = [columns]
    columns = list(columns)
    if columns and all(isinstance(each, (bool, np.bool_)) for each in columns):
        return [i for i, chosen in enumerate(columns) if chosen]
    return [names.index(each) if isinstance(each, str) else int(each) for each in columns]


def _required(model: Any, width: int) -> List[bool]:
    """Whether each column must come: a ColumnTransformer does without those that it drops."""
    first = first_step(model)
    if not _is(first, "ColumnTransformer"):
        return [True] * width
    used = set()
    for name, branch, columns in first.transformers_:
        if not _is_drop(branch):
            used.update(_places(first, name, columns, width))
    return [i in used for i in range(width)]


def _see_union(part: Any, width: int) -> _Seen:
    parts = [each for _, each in part.transformer_list if not _is_drop(each)]
    return _Seen(_together([_see(each, width).columns for each in parts], width))


def _see_imputer(part: Any, width: int) -> _Seen:
    kind = getattr(part, "_fit_dtype", part.statistics_.dtype).kind
    marker = part.missing_values
    hint = Expected(
        TEXT if kind in "OUS" else NUMBER,
        marker=np.nan if is_missing(marker) and marker is not None else marker,
        hint=True,
    )
    if not isinstance(marker, str) and not is_missing(marker):  # such as -1: a number like others
        hint = replace(hint, marker=np.nan)
    kept = list(range(width))
    if part.strategy != "constant" and not getattr(part, "keep_empty_features", False):
        kept = [i for i in kept if not is_missing(_at(part.statistics_, i))]
    outputs: List[Optional[int]] = [*kept]
    indicator = getattr(part, "indicator_", None)
    if indicator is not None:
        outputs += [None] * len(indicator.features_)
    return _Seen([hint] * width, outputs)


def _at(values: np.ndarray, i: int) -> Any:
    value = values[i]
    return value.item() if isinstance(value, np.generic) else value


def _see_encoder(part: Any, width: int) -> _Seen:
    """OneHotEncoder, OrdinalEncoder: the categories that they learned, in their own types."""
    unknown = "error" if part.handle_unknown == "error" else OWN
    missing = "error" if unknown == "error" else "allowed"
    columns = [of_levels(each, unknown=unknown, missing=missing) for each in part.categories_]
    return _Seen(columns, [None] * _width_after(part))


def _see_target_encoder(part: Any, width: int) -> _Seen:
    columns = [of_levels(each, unknown=OWN) for each in part.categories_]
    return _Seen(columns, [None] * _width_after(part))


def _see_function(part: Any, width: int) -> _Seen:
    if part.func is None:
        seen = _NUMBER if part.validate else _UNKNOWN
        return _Seen([seen] * width, list(range(width)))
    return _Seen([_NUMBER if part.validate else _UNKNOWN] * width)


def _see_histogram_boosting(part: Any, width: int) -> _Seen:
    chosen = getattr(part, "is_categorical_", None)
    before = getattr(part, "_preprocessor", None)
    if chosen is None or before is None:
        return _Seen([_NUMBER] * width)
    lists = iter(before.named_transformers_["encoder"].categories_)
    columns = [
        of_levels(next(lists), unknown=MISSING) if is_category else _NUMBER
        for is_category in chosen
    ]
    return _Seen([replace(each, missing="allowed") for each in columns])


_KNOWN: Mapping[str, Callable[[Any, int], _Seen]] = {
    "ColumnTransformer": _see_columns,
    "FeatureUnion": _see_union,
    "FunctionTransformer": _see_function,
    "OneHotEncoder": _see_encoder,
    "OrdinalEncoder": _see_encoder,
    "SimpleImputer": _see_imputer,
    "TargetEncoder": _see_target_encoder,
}
"""Parts of scikit-learn that hand columns on, or that take more than numbers, by class."""

_TAKES_MORE = {*_KNOWN, *_VECTORIZERS, *_HASHERS, *_ANYTHING, "DictVectorizer"} - {"SimpleImputer"}
