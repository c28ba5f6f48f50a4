"""Python models: ``custom.py`` hooks and pickled estimators, in this very process."""

from __future__ import annotations

import importlib
import platform
import sys
from pathlib import Path
from typing import Iterator, List, Sequence, Union

from polyhost.bridges.doctor import Finding
from polyhost.bridges.python.guest import PythonGuest
from polyhost.bridges.python.mlflow.guest import MlflowGuest
from polyhost.files.regular import read_start
from polyhost.predictor import ModelSpec

__all__ = ["doctor", "open", "warm", "warm_model"]

_ALWAYS = ("pandas", "pyarrow")
_SCIKIT_LEARN = ("sklearn.linear_model", "sklearn.ensemble", "sklearn.pipeline")
_PICKLES = (".pkl", ".joblib")
_TEXTS = ("*.py", "MLmodel")


def open(spec: ModelSpec) -> Union[PythonGuest, MlflowGuest]:
    """The guest of a code dir, its custom file loaded."""
    return MlflowGuest(spec) if "mlmodel" in spec.options else PythonGuest(spec)


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
    _import(_ALWAYS)


def warm_model(spec: ModelSpec) -> bool:
    """Import scikit-learn before a model's worker is forked, where the model seems to need it.

    The import takes longer than all the rest of a start. True if something new was imported.
    """
    if all(name in sys.modules for name in _SCIKIT_LEARN) or not _needs_scikit_learn(spec):
        return False
    _import(_SCIKIT_LEARN)
    return True


def _needs_scikit_learn(spec: ModelSpec) -> bool:
    """Whether there is a pickle, or code that names the library. A wrong no costs time only."""
    if any(path.suffix.lower() in _PICKLES for path in spec.artifacts):
        return True
    return any(b"sklearn" in read_start(path) for path in _texts(spec))


def _texts(spec: ModelSpec) -> Iterator[Path]:
    if spec.custom_file is not None:
        yield spec.code_dir / spec.custom_file
    for pattern in _TEXTS:
        yield from spec.code_dir.glob(pattern)


def _import(names: Sequence[str]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # a model that needs it says so itself
