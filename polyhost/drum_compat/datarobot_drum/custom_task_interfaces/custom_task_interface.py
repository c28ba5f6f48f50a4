"""See :mod:`polyhost.custom_task`."""

from __future__ import annotations

from polyhost.custom_task import (
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
