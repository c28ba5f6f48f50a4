"""The flavor ``statsmodels``: pickled results. A time series takes one row with ``start``, ``end``."""

from __future__ import annotations

from typing import Any

from polyhost.bridges.python.frameworks import pickled
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.bridges.python.mlflow.plain import PlainModel
from polyhost.bridges.python.mlflow.saved import SavedModel
from polyhost.errors import SchemaMismatch

NAME = "statsmodels"


def load(model: SavedModel) -> PlainModel:
    """The results of a folder."""
    library(NAME)
    model.check_pickle()
    path = model.file(model.attributes(NAME).get("data"), model.pyfunc.get("data"))
    results: Any = pickled.load(path)

    def predict(frame: Any) -> Any:
        if not any(kind.__name__ == "TimeSeriesModel" for kind in type(results.model).__mro__):
            return results.predict(frame)
        if len(frame) != 1 or not {"start", "end"} <= set(frame.columns):
            raise SchemaMismatch(
                "a time series takes exactly one row with the columns start and end: found "
                f"{len(frame)} row(s) of {', '.join(map(repr, frame.columns))}."
            )
        return results.predict(start=frame["start"].iloc[0], end=frame["end"].iloc[0])

    return PlainModel(NAME, results, predict)
