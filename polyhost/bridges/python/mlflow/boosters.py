"""Boosters of XGBoost and LightGBM: a numeric table reaches them as one matrix, by name."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Mapping, Optional, Sequence

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.bridges.python.mlflow.frames import as_frame
from polyhost.data.payload import Table
from polyhost.errors import SchemaMismatch


class BoosterModel:
    """A booster. ``run`` predicts from a matrix in the booster's order or from a DataFrame, with
    keyword arguments of the library; ``names`` are its columns', None where it knows none."""

    row_wise = True
    matrix = True

    def __init__(
        self,
        framework: str,
        model: Any,
        run: Callable[..., Any],
        names: Optional[Sequence[str]],
        width: int,
    ) -> None:
        self.framework = framework
        self.model = model
        self._run = run
        self._columns = Columns(names, width)
        self._accepted = frozenset(inspect.signature(model.predict).parameters) - {"data"}

    def predict(self, data: Any, params: Optional[Mapping[str, Any]]) -> Any:
        """The booster's own answer; parameters that its predict does not have are ignored."""
        named = {key: value for key, value in (params or {}).items() if key in self._accepted}
        if isinstance(data, Table) and data.matrix is None:
            data = as_frame(data)
        if isinstance(data, Table):
            return self._run(self._columns.matrix(data), **named)
        if frames.is_frame(data):
            data = self._columns.frame(data)
        return self._run(self._checked(data), **named)

    def _checked(self, data: Any) -> Any:
        """An array of the right width: a library may read past the end of a narrow one."""
        width = self._columns.width
        if isinstance(data, np.ndarray) and (data.ndim != 2 or data.shape[1] != width):
            raise SchemaMismatch(
                f"the model takes a matrix of {width} column(s): found an array of shape "
                f"{data.shape}.",
                expected=width,
                found=list(data.shape),
            )
        return data
