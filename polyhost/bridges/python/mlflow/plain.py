"""A model of a library whose predict takes what MLflow gives it."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional


class PlainModel:
    """A function of a DataFrame, or of arrays; it takes no parameters."""

    matrix = False

    def __init__(
        self, framework: str, model: Any, run: Callable[[Any], Any], *, row_wise: bool = False
    ) -> None:
        self.framework = framework
        self.model = model
        self.row_wise = row_wise
        self._run = run

    def predict(self, data: Any, params: Optional[Mapping[str, Any]]) -> Any:
        """The library's own answer."""
        return self._run(data)
