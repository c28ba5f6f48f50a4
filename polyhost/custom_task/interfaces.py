"""The interfaces that a custom task derives from."""

from __future__ import annotations

import pickle
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Dict, List, Optional

from polyhost.custom_task.secrets import Secret, current

ARTIFACT = "drum_artifact.pkl"
"""File that the default ``save`` writes and the default ``load`` reads."""


class CustomTaskInterface(ABC):
    """A model that trains itself, saves itself, and is loaded again to predict."""

    @property
    def secrets(self) -> Dict[str, Secret]:
        """The operator's secrets by name. They are in no artifact: each run has its own."""
        return current()

    @abstractmethod
    def fit(
        self,
        X: Any,  # noqa: N803
        y: Any,
        output_dir: str = "",
        class_order: Optional[List[str]] = None,
        row_weights: Any = None,
        parameters: Optional[Dict[str, Any]] = None,
        **kwargs: Any,
    ) -> Any:
        """Train on the rows ``X`` (a DataFrame) and the target ``y`` (a Series, or None).

        ``class_order`` is ``[positive, negative]`` for binary, the labels for multiclass.
        """

    def save(self, artifact_directory: str) -> Any:
        """Leave in the folder what :meth:`load` needs; by default a pickle of the task."""
        with Path(artifact_directory, ARTIFACT).open("wb") as file:
            pickle.dump(self, file)
        return self

    @classmethod
    def load(cls, artifact_directory: str) -> Any:
        """The task that :meth:`save` left in the folder."""
        with Path(artifact_directory, ARTIFACT).open("rb") as file:
            return pickle.load(file)

    @staticmethod
    def log_message(message: Any) -> None:
        """Print a line at once."""
        sys.stdout.write(f"{message}\n")
        sys.stdout.flush()


class _PredictsClasses(CustomTaskInterface):
    @abstractmethod
    def predict_proba(self, X: Any, **kwargs: Any) -> Any:  # noqa: N803
        """A DataFrame with a column of probabilities for each class label."""


class _PredictsValues(CustomTaskInterface):
    @abstractmethod
    def predict(self, X: Any, **kwargs: Any) -> Any:  # noqa: N803
        """A DataFrame with one column of values."""


class BinaryEstimatorInterface(_PredictsClasses):
    """Answers the probabilities of two classes."""


class MulticlassEstimatorInterface(_PredictsClasses):
    """Answers the probabilities of several classes."""


class RegressionEstimatorInterface(_PredictsValues):
    """Answers one number a row."""


class AnomalyEstimatorInterface(_PredictsValues):
    """Answers one anomaly score a row; it is trained without a target."""


class TransformerInterface(CustomTaskInterface):
    """Answers the rows transformed."""

    @abstractmethod
    def transform(self, X: Any) -> Any:  # noqa: N803
        """A DataFrame (or a sparse one) with a row for each of ``X``."""
