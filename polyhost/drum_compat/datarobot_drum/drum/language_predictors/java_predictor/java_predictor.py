"""Java models for code that combines several."""

from __future__ import annotations

from polyhost.drum_compat.predictors import JavaPredictor

__all__ = ["JavaPredictor"]
