"""Predictions that JSON has no number for: sent as null, counted, and warned of once a column."""

from __future__ import annotations

import logging
from typing import Set, Tuple

import numpy as np

from polyhost.worker import counters

logger = logging.getLogger(__name__)

_MOST_WARNED = 1000
_warned: Set[Tuple[str, str]] = set()


def note(name: str, values: np.ndarray) -> None:
    """Count the cells of a column of doubles that are NaN or infinite."""
    for value, found in (
        ("nan", np.isnan(values)),
        ("inf", values == np.inf),
        ("-inf", values == -np.inf),
    ):
        count = int(found.sum())
        if not count:
            continue
        counters.count("nonfinite_predictions", count, column=name, what=value)
        if (name, value) not in _warned and len(_warned) < _MOST_WARNED:
            _warned.add((name, value))
            logger.warning(
                "the model predicted %s in column %r, row %d, which JSON cannot hold: null is "
                "sent. Said once for this column; polyhost_nonfinite_predictions_total counts.",
                value,
                name,
                int(np.argmax(found)) + 1,
            )
