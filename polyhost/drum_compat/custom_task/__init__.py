"""Custom tasks: a class ``CustomTask`` in ``custom.py`` that trains and predicts.

It derives from one of these interfaces. The names and methods are DRUM's.
"""

from __future__ import annotations

from polyhost.drum_compat.custom_task.interfaces import (
    ARTIFACT,
    AnomalyEstimatorInterface,
    BinaryEstimatorInterface,
    CustomTaskInterface,
    MulticlassEstimatorInterface,
    RegressionEstimatorInterface,
    TransformerInterface,
)

__all__ = [
    "ARTIFACT",
    "AnomalyEstimatorInterface",
    "BinaryEstimatorInterface",
    "CustomTaskInterface",
    "MulticlassEstimatorInterface",
    "RegressionEstimatorInterface",
    "TransformerInterface",
]
