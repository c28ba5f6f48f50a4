"""A flavor of MLflow's models: the ``MLmodel`` file itself says what is added to the column ``a``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Loaded:
    """A loaded model."""

    framework = "sample"

    def __init__(self, adds: float) -> None:
        self._adds = adds

    def predict(self, data: Any, params: Mapping[str, Any] | None) -> Any:
        return data["a"] + self._adds


class SampleFlavor:
    """The flavor."""

    name = "sample"

    def load(self, folder: Path, attributes: Mapping[str, Any]) -> Loaded:
        return Loaded(float(attributes["adds"]))


FLAVOR = SampleFlavor()
