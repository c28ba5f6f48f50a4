"""What is known of a scikit-learn estimator without running it."""

from __future__ import annotations

import copy
import traceback
import warnings
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

import numpy as np

from polyhost.data.target import TargetType
from polyhost.pipeline.infer_target import target_of_labels
from polyhost.predictor import ArtifactTarget

_ROW_WISE = frozenset(
    [
        *("calibration", "compose", "cross_decomposition", "decomposition"),
        *("discriminant_analysis", "dummy", "ensemble", "feature_extraction", "feature_selection"),
        *("gaussian_process", "impute", "isotonic", "kernel_approximation", "kernel_ridge"),
        *("linear_model", "mixture", "model_selection", "multiclass", "multioutput"),
        *("naive_bayes", "neighbors", "neural_network", "pipeline", "preprocessing"),
        *("random_projection", "svm", "tree"),
    ]
)
_OTHER_LIBRARIES = ("xgboost.sklearn", "lightgbm.sklearn")
_LIBRARIES = ("sklearn.", "xgboost.", "lightgbm.")
_BY_NAME = frozenset(["ColumnTransformer", "FunctionTransformer"])
_RANDOM = frozenset(["stratified", "uniform"])


def is_estimator(model: Any) -> bool:
    """Whether a model derives from scikit-learn's BaseEstimator; imports nothing."""
    return any(
        kind.__name__ == "BaseEstimator" and kind.__module__ == "sklearn.base"
        for kind in type(model).__mro__
    )


def target_of(model: Any) -> Optional[ArtifactTarget]:
    """What an estimator was trained for: its classes, a value, or what is unusual. None for one
    of several labels a row, whose names it does not hold."""
    from sklearn import base

    classes = getattr(model, "classes_", None)
    if base.is_classifier(model) and isinstance(classes, np.ndarray) and classes.ndim == 1:
        labels = tuple(str(label) for label in classes)
        return None if _is_multilabel(model) else target_of_labels(labels)
    if base.is_regressor(model):
        return TargetType.REGRESSION, ()
    return (TargetType.ANOMALY, ()) if base.is_outlier_detector(model) else None


def _is_multilabel(model: Any) -> bool:
    last = last_step(model) or model
    kind = getattr(getattr(last, "_label_binarizer", None), "y_type_", "")
    return bool(getattr(last, "multilabel_", False)) or kind.startswith("multilabel")


def derives(model: Any, module: str, name: str) -> bool:
    """Whether a model's class, or one it derives from, is ``module.name``; imports nothing."""
    return any(kind.__module__ == module and kind.__name__ == name for kind in type(model).__mro__)


def derives_by_name(model: Any, package: str, name: str) -> bool:
    """The same for a class that is anywhere in a package."""
    return any(
        kind.__name__ == name and kind.__module__.partition(".")[0] == package
        for kind in type(model).__mro__
    )


def last_step(model: Any) -> Any:
    """The last step of a scikit-learn Pipeline; None when a model is none."""
    steps = getattr(model, "steps", None)
    if not derives(model, "sklearn.pipeline", "Pipeline") or not steps:
        return None
    return steps[-1][1]


def is_row_wise(model: Any) -> bool:
    """Whether predict is known to treat each row on its own."""
    return all(_row_wise(part) for part in parts(model))


def _row_wise(part: Any) -> bool:
    kind = type(part)
    if kind.__module__ in _OTHER_LIBRARIES:
        return True
    path = kind.__module__.split(".")
    if path[0] != "sklearn" or kind.__name__ == "FunctionTransformer":
        return False
    if kind.__name__ == "DummyClassifier" and part.strategy in _RANDOM:
        return False
    return len(path) > 1 and path[1] in _ROW_WISE


def takes_matrix(model: Any) -> bool:
    """Whether a numeric matrix and a DataFrame of it give the same predictions."""
    return all(_plain(part) for part in parts(model)) and not _frames_by_default()


def _plain(part: Any) -> bool:
    kind = type(part)
    if kind.__module__ in _OTHER_LIBRARIES:
        return not _has_categories(part)
    path = kind.__module__.split(".")
    if path[0] != "sklearn" or path[1:2] == ["feature_extraction"] or kind.__name__ in _BY_NAME:
        return False
    if getattr(part, "_sklearn_output_config", None):
        return False
    learned = {key: value for key, value in vars(part).items() if key.endswith("_")}
    return not any(_holds_text(key, value) for key, value in learned.items())


def _has_categories(wrapper: Any) -> bool:
    """Whether a gradient boosting library's wrapper learned categories of a DataFrame."""
    if wrapper.__class__.__module__ == "lightgbm.sklearn":
        return bool(wrapper.booster_.pandas_categorical)
    return "c" in (wrapper.get_booster().feature_types or ())


def absent_is_missing(model: Any) -> bool:
    """Whether a cell that a sparse matrix leaves out counts as missing, not zero, in a part of the model."""
    return any(type(part).__module__ == "xgboost.sklearn" for part in parts(model))


def _holds_text(key: str, value: Any) -> bool:
    """Categories and fill values that are text can only meet text cells."""
    if key in ("classes_", "feature_names_in_", "estimators_"):
        return False
    values = value if isinstance(value, list) else [value]
    return any(isinstance(item, np.ndarray) and item.dtype.kind in "OUS" for item in values[:100])


def _frames_by_default() -> bool:
    import sklearn

    return bool(sklearn.get_config().get("transform_output", "default") != "default")


def parts(model: Any) -> List[Any]:
    """An estimator and those inside it, once each."""
    found: Dict[int, Any] = {}
    waiting = [model]
    while waiting:
        item = waiting.pop()
        if id(item) in found:
            continue
        if is_estimator(item):
            found[id(item)] = item
            waiting.extend(vars(item).values())
        elif isinstance(item, (list, tuple, set)) or _holds_objects(item):
            waiting.extend(list(item)[:1000])
        elif isinstance(item, dict):
            waiting.extend(item.values())
    return list(found.values())


def _holds_objects(item: Any) -> bool:
    return isinstance(item, np.ndarray) and item.dtype.kind == "O" and item.ndim == 1


def without_names(model: Any) -> Any:
    """A shallow copy that was, as far as it knows, fitted without column names."""
    twin = copy.copy(model)
    vars(twin).pop("feature_names_in_", None)
    steps = getattr(twin, "steps", None)
    if type(twin).__name__ == "Pipeline" and isinstance(steps, list):
        twin.steps = [
            (name, without_names(step) if is_estimator(step) else step) for name, step in steps
        ]
    return twin


def nested_names(model: Any) -> bool:
    """Whether an inner estimator knows column names, and so warns when it gets a matrix."""
    return any(
        "feature_names_in_" in vars(part) or type(part).__module__ in _OTHER_LIBRARIES
        for part in parts(model)
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warning that data has no column names, which the caller has checked."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        yield


def raised_by_library(error: BaseException) -> bool:
    """Whether the model's library itself refused a value, rather than code of its author."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and str(frames[-1][0].f_globals.get("__name__", "")).startswith(_LIBRARIES)
