"""See :mod:`polyhost.drum_compat.custom_task`."""

from __future__ import annotations

from polyhost.drum_compat.custom_task import (
    AnomalyEstimatorInterface,
    BinaryEstimatorInterface,
    CustomTaskInterface,
    MulticlassEstimatorInterface,
    RegressionEstimatorInterface,
    TransformerInterface,
)

__all__ = [
    "AnomalyEstimatorInterface",
    "BinaryEstimatorInterface",
    "CustomTaskInterface",
    "MulticlassEstimatorInterface",
    "RegressionEstimatorInterface",
    "TransformerInterface",
]
