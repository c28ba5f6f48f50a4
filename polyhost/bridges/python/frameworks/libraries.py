"""Model libraries that may be absent."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Optional

from polyhost.errors import RuntimeUnavailable

_PACKAGES = {
    "catboost": "catboost",
    "cloudpickle": "cloudpickle",
    "h5py": "h5py",
    "joblib": "joblib",
    "keras": "keras tensorflow",
    "lightgbm": "lightgbm",
    "onnxruntime": "onnxruntime",
    "pandas": "pandas",
    "pypmml": "pypmml",
    "scipy": "scipy",
    "skops": "skops",
    "sklearn": "scikit-learn",
    "statsmodels": "statsmodels",
    "tensorflow": "tensorflow",
    "torch": "torch",
    "xgboost": "xgboost",
}
"""What to install for a module that a model needs."""


def library(module: str) -> Any:
    """A model library; RuntimeUnavailable with the install command when it cannot be imported."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise missing(module, error) from error


def missing(module: str, error: ImportError) -> RuntimeUnavailable:
    """The error of a library that cannot be imported."""
    return RuntimeUnavailable(
        f"this model needs {module}, which {sys.executable} cannot import: {error}. "
        f"Install it there with: {sys.executable} -m pip install {_PACKAGES.get(module, module)}",
        language="python",
        library=module,
    )


def missing_in(error: BaseException) -> Optional[RuntimeUnavailable]:
    """The same, where loading a model failed for want of a library that is known."""
    if not isinstance(error, ModuleNotFoundError):
        return None
    module = (error.name or "").partition(".")[0]
    return missing(module, error) if module in _PACKAGES else None
