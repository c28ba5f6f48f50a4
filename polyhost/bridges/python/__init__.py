"""Python models: ``custom.py`` hooks and pickled estimators, in this very process."""

from __future__ import annotations

import importlib
import platform
from typing import List

from polyhost.bridges.doctor import Finding
from polyhost.bridges.python.guest import PythonGuest
from polyhost.predictor import ModelSpec

__all__ = ["doctor", "open", "warm"]

_WARM = ("pandas", "pyarrow", "sklearn.linear_model", "sklearn.ensemble", "sklearn.pipeline")


def open(spec: ModelSpec) -> PythonGuest:
    """The guest of a code dir, its custom file loaded."""
    return PythonGuest(spec)


def doctor() -> List[Finding]:
    """The interpreter, and the libraries that models here commonly need."""
    findings = [Finding("Python", True, platform.python_version())]
    for module, package in (
        ("pandas", "pandas"),
        ("pyarrow", "pyarrow"),
        ("sklearn", "scikit-learn"),
    ):
        try:
            version = importlib.import_module(module).__version__
        except ImportError as error:
            findings.append(Finding(package, False, str(error), f"pip install {package}"))
        else:
            findings.append(Finding(package, True, version))
    return findings


def warm() -> None:
    """Import what most models need, once, before workers are forked from this process."""
    for name in _WARM:
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # a model that needs it says so itself
