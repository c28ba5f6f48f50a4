"""Pickles, read as DRUM reads them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any


def load(artifact: Path) -> Any:
    """The object in a ``.pkl`` (latin1 first, which old Python 2 pickles need) or ``.joblib``."""
    if artifact.name.lower().endswith(".joblib"):
        return _joblib(artifact)
    with artifact.open("rb") as file:
        try:
            return pickle.load(file, encoding="latin1")
        except (UnicodeError, pickle.UnpicklingError, KeyError):
            file.seek(0)
        try:
            return pickle.load(file)
        except (pickle.UnpicklingError, KeyError):
            # joblib.dump under the name .pkl: its arrays lie between the pickle's own bytes
            return _joblib(artifact)


def _joblib(artifact: Path) -> Any:
    import joblib

    return joblib.load(artifact)
