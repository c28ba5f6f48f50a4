"""Target types and class labels: what a model answers, and under which names."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Optional, Tuple

from polyhost.errors import SettingsError

PREDICTIONS = "Predictions"
"""Name of the single prediction column (DRUM's contract)."""


class TargetType(str, enum.Enum):
    """What kind of answer a model gives."""

    BINARY = "binary"
    REGRESSION = "regression"
    ANOMALY = "anomaly"
    UNSTRUCTURED = "unstructured"
    MULTICLASS = "multiclass"
    TRANSFORM = "transform"
    TEXT_GENERATION = "textgeneration"
    GEO_POINT = "geopoint"
    VECTOR_DATABASE = "vectordatabase"
    AGENTIC_WORKFLOW = "agenticworkflow"
    MULTILABEL = "multilabel"
    ANY = "any"
    """Whatever the model's own ``predict`` answers: MLflow's models."""

    @classmethod
    def parse(cls, text: str) -> TargetType:
        try:
            return cls(text)
        except ValueError:
            known = ", ".join(member.value for member in cls)
            raise SettingsError(f"unknown target type {text!r}: expected one of {known}.") from None

    @property
    def is_classification(self) -> bool:
        return self in (TargetType.BINARY, TargetType.MULTICLASS, TargetType.MULTILABEL)

    @property
    def is_text(self) -> bool:
        """Answers are text (or any JSON value) and need ``target_name``."""
        return self in (
            TargetType.TEXT_GENERATION,
            TargetType.VECTOR_DATABASE,
            TargetType.AGENTIC_WORKFLOW,
        )

    @property
    def is_single_column(self) -> bool:
        return not self.is_classification and self not in (
            TargetType.UNSTRUCTURED,
            TargetType.TRANSFORM,
            TargetType.ANY,
        )

    @property
    def is_numeric(self) -> bool:
        """The server casts predictions to float."""
        return not self.is_text and self not in (
            TargetType.GEO_POINT,
            TargetType.UNSTRUCTURED,
            TargetType.TRANSFORM,
            TargetType.ANY,
        )

    @property
    def is_structured(self) -> bool:
        """Takes rows and answers with one prediction per row."""
        return self not in (TargetType.UNSTRUCTURED, TargetType.TRANSFORM)


@dataclass(frozen=True)
class Target:
    """Target type with its labels.

    ``labels`` is in request order: for binary ``(positive, negative)``; for multiclass and
    multilabel as given. Empty for every other type.
    """

    type: TargetType
    labels: Tuple[str, ...] = ()
    name: Optional[str] = None

    def __post_init__(self) -> None:
        if self.type is TargetType.BINARY and len(self.labels) != 2:
            raise SettingsError(
                f"binary needs a positive and a negative class label; found {len(self.labels)}. "
                "Give --positive-class-label and --negative-class-label, or inferenceModel in "
                "model-metadata.yaml."
            )
        if self.type in (TargetType.MULTICLASS, TargetType.MULTILABEL) and len(self.labels) < 2:
            raise SettingsError(
                f"{self.type.value} needs at least two class labels; found {len(self.labels)}. "
                "Give --class-labels or --class-labels-file, or classLabels in "
                "model-metadata.yaml."
            )

    @property
    def positive(self) -> Optional[str]:
        return self.labels[0] if self.type is TargetType.BINARY else None

    @property
    def negative(self) -> Optional[str]:
        return self.labels[1] if self.type is TargetType.BINARY else None

    @property
    def class_labels(self) -> Optional[Tuple[str, ...]]:
        """Labels of a multiclass or multilabel model, as its hooks get them; else None."""
        if self.type in (TargetType.MULTICLASS, TargetType.MULTILABEL):
            return self.labels
        return None
