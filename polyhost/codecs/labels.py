"""One plain value a row: the label of a classification, the number or the text of any other model."""

from __future__ import annotations

from typing import Any, List, Optional

import numpy as np

from polyhost.codecs.predictions import doubles, listed
from polyhost.data.payload import Scores
from polyhost.data.target import Target, TargetType


def values_of(scores: Scores, target: Target) -> List[Any]:
    """The prediction of each row; None where the model gave a missing value or no finite number.
    Where a model of any answer gave several columns, an object by column.

    The labels of a row of a multilabel model are joined by commas.
    """
    table = scores.predictions
    if target.type is TargetType.MULTILABEL:
        chosen = doubles(table) > 0.5
        return [", ".join(np.array(table.names)[row].tolist()) for row in chosen]
    if target.type.is_classification:
        return labels_of(scores)
    if target.type.is_numeric:
        return finite(doubles(table)[:, 0])
    return listed(table, target)


def labels_of(scores: Scores) -> List[Optional[str]]:
    """The most probable label of each row, the first of equals; None where one is missing."""
    table = scores.predictions
    values = doubles(table)
    holes = np.isnan(values).any(axis=1)
    best = np.argmax(np.where(np.isnan(values), -np.inf, values), axis=1)
    return [
        None if hole else table.names[place] for hole, place in zip(holes.tolist(), best.tolist())
    ]


def probabilities_of(scores: Scores) -> List[Optional[float]]:
    """The probability of that label."""
    return finite(doubles(scores.predictions).max(axis=1))


def finite(values: np.ndarray) -> List[Optional[float]]:
    """Numbers as JSON has them: null for those that it has none for."""
    if np.isfinite(values).all():
        found: List[Optional[float]] = values.tolist()
        return found
    return [value if np.isfinite(value) else None for value in values.tolist()]
