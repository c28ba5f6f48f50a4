"""The table of flavors that Python serves by itself; every other one its own loader module loads.

A flavor is a module here with ``load(model) -> Loaded`` and a row in ``FLAVORS``. An installed
package adds one with an entry point in the group ``polyhost.flavors`` whose object is a
:class:`Flavor`; it is preferred to ours.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Protocol

from polyhost import plugins
from polyhost.bridges.python.faults import facts
from polyhost.bridges.python.frameworks.libraries import missing_in
from polyhost.bridges.python.mlflow import loader_module
from polyhost.bridges.python.mlflow.saved import PYFUNC, SavedModel
from polyhost.errors import LoadError, PolyhostError


class Loaded(Protocol):
    """A model that a flavor loaded. A member may be left out that has a default here.

    ``framework``: the library's name. ``row_wise`` (False): rows of several requests may share a
    call. ``matrix`` (False): a numeric table may come as one matrix. ``model`` (None): the object
    that the library itself knows. ``predict_stream``: makes an answer part by part.
    """

    framework: str

    def predict(self, data: Any, params: Optional[Mapping[str, Any]]) -> Any:
        """The answer to a DataFrame (a Table where ``matrix`` allows it), arrays or plain values."""
        ...


class Flavor(Protocol):
    """A flavor that an installed package adds."""

    name: str

    def load(self, folder: Path, attributes: Mapping[str, Any]) -> Loaded: ...


class Streaming(Protocol):
    """What a loaded model has beside that answers part by part."""

    def predict_stream(self, data: Any, params: Optional[Mapping[str, Any]]) -> Iterator[Any]: ...


FLAVORS: Mapping[str, str] = {
    name: f"polyhost.bridges.python.mlflow.{name}_flavor"
    for name in (
        *("sklearn", "xgboost", "lightgbm", "onnx", "catboost", "statsmodels", "h2o", "keras"),
    )
}
"""Modules of the flavors that are loaded without MLflow."""


def load(model: SavedModel) -> Loaded:
    """The model of a folder; LoadError or RuntimeUnavailable says what it lacks."""
    model.add_code()
    try:
        return _load(model)
    except PolyhostError:
        raise
    except Exception as error:
        unavailable = missing_in(error)
        if unavailable is not None:
            raise unavailable from error
        found = facts(error, "load_model", model.folder)
        raise LoadError(
            f"the model of flavor {model.flavor} in {model.folder} cannot be loaded: "
            f"{found['native_type']}: {found['native_message']}. Install what its requirements.txt "
            "names.",
            language="python",
            **found,
        ) from error


def _load(model: SavedModel) -> Loaded:
    for added in plugins.installed(plugins.FLAVORS):
        if added.name == model.flavor:
            found: Loaded = added.load(model.folder, model.attributes(model.flavor))
            return found
    name = native_flavor(model)
    if name:
        loaded: Loaded = importlib.import_module(FLAVORS[name]).load(model)
        return loaded
    if model.flavor != PYFUNC:
        return loader_module.load(model, f"mlflow.{model.flavor}")
    return loader_module.load(model, str(model.pyfunc.get("loader_module")))


def native_flavor(model: SavedModel) -> str:
    """The flavor of the table that serves this model; empty where its loader module has to."""
    if model.flavor != PYFUNC:
        return model.flavor if model.flavor in FLAVORS else ""
    module = str(model.pyfunc.get("loader_module"))
    name = module[len("mlflow.") :] if module.startswith("mlflow.") else ""
    return name if name in FLAVORS and name in model.flavors else ""
