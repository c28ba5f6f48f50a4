"""A predictor in a with statement."""

from __future__ import annotations

from polyhost.drum_compat.predictors import drum_inline_predictor

__all__ = ["drum_inline_predictor"]
