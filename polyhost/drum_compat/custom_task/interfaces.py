"""The interfaces that a custom task derives from.

None of their methods is abstract: a trained task is unpickled from a class that need not know how to
train, and a task that is only fitted need not predict.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional

from polyhost.drum_compat.custom_task.secrets import Secret, current
from polyhost.files.replace import replacing

ARTIFACT = "drum_artifact.pkl"
"""File that the default ``save`` writes and the default ``load`` reads."""


class CustomTaskInterface:
    """A model that trains itself, saves itself, and is loaded again to predict."""

    default_artifact_filename = ARTIFACT

    @property
    def secrets(self) -> Dict[str, Secret]:
        """The operator's secrets by name. They are in no artifact: each run has its own."""
        return current()

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
        raise _undefined(self, "fit")

    def save(self, artifact_directory: str) -> Any:
        """Leave in the folder what :meth:`load` needs; by default a pickle of the task."""
        self.save_task(artifact_directory)
        return self

    def save_task(self, artifact_directory: str, exclude: Optional[Iterable[str]] = None) -> None:
        """Pickle the task without the attributes in ``exclude``, which read None when loaded.

        For a ``save`` of the task's own, which writes those attributes in a format of theirs.
        """
        left_out = list(exclude or ())
        absent = [name for name in left_out if not hasattr(self, name)]
        if absent:
            raise AttributeError(
                f"{type(self).__name__} has no attribute {', '.join(absent)}: expected names of "
                f"its attributes in exclude; it has {', '.join(sorted(vars(self))) or 'none'}."
            )
        kept = {name: getattr(self, name) for name in left_out}
        try:
            for name in left_out:
                setattr(self, name, None)
            with replacing(Path(artifact_directory, ARTIFACT)) as file:
                pickle.dump(self, file)
        finally:
            for name, value in kept.items():
                setattr(self, name, value)

    @classmethod
    def load(cls, artifact_directory: str) -> Any:
        """The task that :meth:`save` left in the folder."""
        return cls.load_task(artifact_directory)

    @classmethod
    def load_task(cls, artifact_directory: str) -> Any:
        """The task that :meth:`save_task` pickled; what it excluded is still to be loaded."""
        path = Path(artifact_directory, ARTIFACT)
        with path.open("rb") as file:
            task = pickle.load(file)
        if not isinstance(task, cls):
            raise TypeError(
                f"{path} holds a {type(task).__name__}: expected a {cls.__name__}, as its "
                "save_task leaves it. Train the task again."
            )
        return task

    @staticmethod
    def log_message(message: Any) -> None:
        """Print a line at once."""
        sys.stdout.write(f"{message}\n")
        sys.stdout.flush()


class _PredictsClasses(CustomTaskInterface):
    def predict_proba(self, X: Any, **kwargs: Any) -> Any:  # noqa: N803
        """A DataFrame with a column of probabilities for each class label."""
        raise _undefined(self, "predict_proba")


class _PredictsValues(CustomTaskInterface):
    def predict(self, X: Any, **kwargs: Any) -> Any:  # noqa: N803
        """A DataFrame with one column of values."""
        raise _undefined(self, "predict")


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

    def transform(self, X: Any) -> Any:  # noqa: N803
        """A DataFrame (or a sparse one) with a row for each of ``X``."""
        raise _undefined(self, "transform")


def _undefined(task: object, method: str) -> NotImplementedError:
    return NotImplementedError(
        f"{type(task).__name__} does not define {method}: its interface leaves that to it."
    )
