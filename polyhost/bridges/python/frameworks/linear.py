"""Linear models of scikit-learn without its checks of every call.

For one row those take twenty times as long as the product. A model is computed here only if that was
seen, when it was loaded, to give the same bits as the library does; and only for finite numbers in as many
columns as the model has. All else is left to the library, its errors among it.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional

import numpy as np

from polyhost.bridges.python.frameworks import estimators

Function = Callable[[np.ndarray], Any]

_PROBES = (1, 2, 7, 64)
"""Rows of the matrices on which both have to agree."""


def direct(model: Any, method: Function) -> Function:
    """What answers as ``method`` does, which is the model's own ``predict`` or ``predict_proba``."""
    name = getattr(method, "__name__", "")
    try:
        quick = _quick(model, name)
        if quick is None or not _agrees(quick, method, _width(model)):
            return method
    except Exception:  # a model that is not as its class makes it
        return method
    return _Direct(quick, method, _width(model))


class _Direct:
    def __init__(self, quick: Function, library: Function, width: int) -> None:
        self._quick = quick
        self._library = library
        self._width = width

    def __call__(self, matrix: Any) -> Any:
        usual = (
            type(matrix) is np.ndarray
            and matrix.dtype == np.float64
            and matrix.ndim == 2
            and matrix.shape[1] == self._width
            and len(matrix)
            and np.isfinite(matrix).all()
        )
        return self._quick(matrix) if usual else self._library(matrix)


def _agrees(quick: Function, library: Function, width: int) -> bool:
    rng = np.random.default_rng(0)
    for rows in _PROBES:
        for spread in (1.0, 100.0):
            matrix = rng.normal(scale=spread, size=(rows, width))
            expected, found = np.asarray(library(matrix.copy())), quick(matrix.copy())
            if expected.dtype != found.dtype or not np.array_equal(expected, found):
                return False
    return True


def _width(model: Any) -> int:
    return int(model.n_features_in_)


def _quick(model: Any, name: str) -> Optional[Function]:
    """The computation of a linear model, or of a pipeline that scales before one."""
    if not estimators.derives(model, "sklearn.pipeline", "Pipeline"):
        return _linear(model, name)
    if _has_own(model, name) or len(model.steps) != 2:
        return None
    (_, scaler), (_, last) = model.steps
    if type(scaler).__module__ != "sklearn.preprocessing._data" or _has_own(scaler, "transform"):
        return None
    after = _linear(last, name)
    if type(scaler).__name__ != "StandardScaler" or after is None:
        return None
    rest = after
    return lambda matrix: rest(_scaled(scaler, matrix))


def _scaled(scaler: Any, matrix: np.ndarray) -> np.ndarray:
    if scaler.with_mean:
        matrix = matrix - scaler.mean_
    return matrix / scaler.scale_ if scaler.with_std else matrix


def _linear(model: Any, name: str) -> Optional[Function]:
    if not type(model).__module__.startswith("sklearn.linear_model.") or _has_own(model, name):
        return None
    if name == "predict":
        return lambda matrix: _value(model, matrix)
    return lambda matrix: _probabilities(model, matrix)


def _has_own(model: Any, name: str) -> bool:
    """Whether somebody has put another function in the place of the class's method."""
    return name in vars(model)


def _value(model: Any, matrix: np.ndarray) -> np.ndarray:
    found: np.ndarray = matrix @ model.coef_.T + model.intercept_
    return found


def _probabilities(model: Any, matrix: np.ndarray) -> np.ndarray:
    scores = _value(model, matrix)
    if scores.shape[1] == 1:
        positive = _expit()(scores[:, 0])
        return np.stack([1 - positive, positive], axis=1)
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


_found: List[Any] = []


def _expit() -> Any:
    if not _found:
        from scipy.special import expit

        _found.append(expit)
    return _found[0]
