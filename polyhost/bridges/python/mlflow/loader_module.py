"""Models whose own loader module loads them: ``_load_pyfunc`` of MLflow's, or of the model's code."""

from __future__ import annotations

import importlib
import inspect
import logging
from typing import Any, Callable, Iterator, Mapping, Optional

from polyhost.bridges.python.mlflow.saved import SavedModel
from polyhost.errors import InvalidInput, LoadError, RuntimeUnavailable

logger = logging.getLogger(__name__)

LAST_VERSION: Mapping[str, str] = {
    "mlflow.gluon": "2.18 (MXNet, its library, is no longer developed)",
    "mlflow.fastai": "2.22",
    "mlflow.mleap": "2.22",
    "mlflow.diviner": "2.22",
    "mlflow.promptflow": "2.22",
}
"""Loader modules that today's MLflow has no more, and the last version that had them."""


class LoadedModule:
    """What a loader module returned. Its code may compute across rows, so calls are not shared."""

    row_wise = False
    matrix = False

    def __init__(self, model: SavedModel, impl: Any, module: str) -> None:
        self.framework = module
        self.model = impl
        attributes = model.pyfunc
        self._predict = _method(impl, str(attributes.get("predict_fn") or "predict"), module)
        self._with_params = {self._predict: _takes_params(self._predict)}
        self._stream: Optional[Callable[..., Any]] = None
        if attributes.get("streamable"):
            name = str(attributes.get("predict_stream_fn") or "predict_stream")
            self._stream = _method(impl, name, module)
            self._with_params[self._stream] = _takes_params(self._stream)
        self.streams = self._stream is not None

    def predict(self, data: Any, params: Optional[Mapping[str, Any]]) -> Any:
        """The model's own answer."""
        return self._call(self._predict, data, params)

    def predict_stream(self, data: Any, params: Optional[Mapping[str, Any]]) -> Iterator[Any]:
        """The parts of the answer as the model makes them."""
        assert self._stream is not None
        return iter(self._call(self._stream, _single(data), params))

    def _call(
        self, function: Callable[..., Any], data: Any, params: Optional[Mapping[str, Any]]
    ) -> Any:
        if self._with_params[function]:
            return function(data, params=None if params is None else dict(params))
        if params:
            logger.warning("the model's method has no argument 'params': they are ignored")
        return function(data)


def _single(data: Any) -> Any:
    """The one input that a stream is made of, as MLflow gives it: a row of a frame as a dict."""
    if hasattr(data, "to_dict"):
        only = list(data.columns) == [0]
        data = data.to_dict("list")[0] if only else data.to_dict(orient="records")
    elif hasattr(data, "tolist"):
        data = data.tolist()
    if not isinstance(data, list):
        return data
    if len(data) != 1:
        raise InvalidInput(
            f"an answer part by part is to one input: expected one row; found {len(data)}. Ask for "
            "each alone, or without a stream."
        )
    return data[0]


def load(model: SavedModel, module: str) -> LoadedModule:
    """Have the loader module load the model, as MLflow does."""
    data = model.pyfunc.get("data")
    path = str(model.file(str(data)) if data else model.folder)
    config = model.config()
    loader = _import(module)._load_pyfunc
    impl = loader(path, config) if config else loader(path)
    return LoadedModule(model, impl, module)


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = (error.name or "").partition(".")[0]
        if top == "mlflow" and error.name == "mlflow":
            raise RuntimeUnavailable(
                f"the model is loaded by {module}, and MLflow is not installed in its environment. "
                "Install it there (pip install mlflow), or let polyhost build the environment from "
                "the model's own files.",
                language="python",
            ) from error
        if error.name == module and module in LAST_VERSION:
            raise LoadError(
                f"the model is loaded by {module}, which the installed MLflow does not have: the "
                f"last version with it is {LAST_VERSION[module]}. Serve it in an environment with "
                "that version.",
                language="python",
            ) from error
        raise


def _method(impl: Any, name: str, module: str) -> Callable[..., Any]:
    found = getattr(impl, name, None)
    if not callable(found):
        raise LoadError(
            f"the model that {module} loaded ({type(impl).__name__}) has no method {name!r}.",
            language="python",
        )
    return found  # type: ignore[no-any-return]


def _takes_params(function: Callable[..., Any]) -> bool:
    try:
        found = inspect.signature(function).parameters.get("params")
    except (TypeError, ValueError):
        return False
    return found is not None and found.kind is not inspect.Parameter.VAR_KEYWORD
