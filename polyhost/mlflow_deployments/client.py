"""The client that MLflow's deployment API and command use."""

from __future__ import annotations

import base64
import json
import os
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import unquote, urlsplit

from mlflow.deployments import BaseDeploymentClient, PredictionsResponse
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
)

from polyhost.mlflow_deployments.target import Target, of_model

PYTHON_FUNCTION, CRATE = "python_function", "crate"
_WHOLE = ("replicas",)
_BESIDE = ("replicas", "version")
"""Settings that a model in the configuration does not have."""


class PolyhostClient(BaseDeploymentClient):  # type: ignore[misc]
    """Deployments of one host: each is a model, called as the deployment is."""

    def __init__(self, target_uri: str) -> None:
        super().__init__(target_uri)
        self._target = Target(target_uri)

    def create_deployment(
        self,
        name: str,
        model_uri: str,
        flavor: Optional[str] = None,
        config: Optional[Dict[str, Any]] = None,
        endpoint: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Load a model under a new name; returns once it answers."""
        _no_endpoint(endpoint)
        if self._find(name) is not None:
            raise MlflowException(
                f"there is a model {name!r} at {self._target.url}: update it, or choose another "
                "name.",
                error_code=RESOURCE_ALREADY_EXISTS,
            )
        return self._load(name, model_uri, flavor, config)

    def update_deployment(
        self,
        name: str,
        model_uri: Optional[str] = None,
        flavor: Optional[str] = None,
        config: Optional[Dict[str, Any]] = None,
        endpoint: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Replace a model without a gap, or change the number of its replicas."""
        _no_endpoint(endpoint)
        found = self.get_deployment(name)
        if model_uri is not None:
            return self._load(name, model_uri, flavor, config)
        if set(config or {}) != {"replicas"}:
            raise MlflowException(
                "without a model URI only the number of replicas can be changed: expected -C "
                f"replicas=N; found {', '.join(sorted(config or {})) or 'nothing'}.",
                error_code=INVALID_PARAMETER_VALUE,
            )
        replicas = _split(config)[0]["replicas"]
        found = self._target.admin("POST", f"{of_model(name)}/scale", {"replicas": replicas})
        return _described(found, flavor)

    def delete_deployment(
        self, name: str, config: Optional[Dict[str, Any]] = None, endpoint: Optional[str] = None
    ) -> None:
        """Unload a model; nothing where there is none."""
        _no_endpoint(endpoint)
        if self._find(name) is not None:
            self._target.admin("DELETE", of_model(name))

    def list_deployments(self, endpoint: Optional[str] = None) -> List[Dict[str, Any]]:
        """Every model of the host."""
        _no_endpoint(endpoint)
        return [_described(found) for found in self._target.admin("GET", "models")["models"]]

    def get_deployment(self, name: str, endpoint: Optional[str] = None) -> Dict[str, Any]:
        """One model: state, version, replicas."""
        _no_endpoint(endpoint)
        found = self._find(name)
        if found is None:
            raise MlflowException(
                f"no model {name!r} at {self._target.url}.", error_code=RESOURCE_DOES_NOT_EXIST
            )
        return _described(found)

    def predict(
        self,
        deployment_name: Optional[str] = None,
        inputs: Any = None,
        endpoint: Optional[str] = None,
    ) -> PredictionsResponse:
        """Ask a model: a DataFrame, arrays by name, or whatever ``inputs`` of a request may be."""
        _no_endpoint(endpoint)
        if not deployment_name:
            raise MlflowException("expected the name of a deployment.", INVALID_PARAMETER_VALUE)
        path = f"/{of_model(deployment_name)}/invocations"
        answer = self._target.ask("POST", path, _body(inputs))
        return PredictionsResponse.from_json(json.dumps(answer))

    def _find(self, name: str) -> Optional[Dict[str, Any]]:
        try:
            found: Dict[str, Any] = self._target.admin("GET", of_model(name))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST" or "no model" not in error.message:
                raise
            return None
        return found

    def _load(
        self, name: str, model_uri: str, flavor: Optional[str], config: Optional[Dict[str, Any]]
    ) -> Dict[str, Any]:
        beside, settings = _split(config)
        body = {"source": _source(model_uri), "settings": settings, **beside}
        return _described(self._target.admin("PUT", of_model(name), body), flavor)


def _split(config: Optional[Dict[str, Any]]) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """What stands beside the settings of a model, and those."""
    given = dict(config or {})
    beside: Dict[str, Any] = {key: given.pop(key) for key in _BESIDE if key in given}
    for key in _WHOLE:
        text = str(beside.get(key, "1"))
        if not text.isdigit():
            raise MlflowException(
                f"{key} is {text!r}: expected a whole number.", INVALID_PARAMETER_VALUE
            )
        if key in beside:
            beside[key] = int(text)
    return beside, given


def _source(model_uri: str) -> str:
    """A model URI as the host takes it: paths become whole."""
    parts = urlsplit(model_uri)
    if parts.scheme == "file":
        return unquote(parts.path)
    return model_uri if parts.scheme else os.path.abspath(model_uri)


def _described(found: Dict[str, Any], flavor: Optional[str] = None) -> Dict[str, Any]:
    served = CRATE if found.get("language") == "r" else PYTHON_FUNCTION
    return {**found, "flavor": flavor or served}


def _body(inputs: Any) -> str:
    """A request of MLflow's protocol."""
    import pandas as pd

    if isinstance(inputs, pd.DataFrame):
        cells = inputs.astype(object).where(inputs.notna(), None)
        rows = cells.to_numpy().tolist()
        split = {"columns": list(inputs.columns), "data": rows}
        return json.dumps({"dataframe_split": split}, default=_plain, allow_nan=False)
    return json.dumps({"inputs": _plain(inputs)}, default=_plain)


def _plain(value: Any) -> Any:
    """A value that JSON can hold, for one of numpy's or pandas' kinds, or bytes."""
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    for method in ("isoformat", "tolist", "to_list"):
        if hasattr(value, method):
            return getattr(value, method)()
    return value


def _no_endpoint(endpoint: Optional[str]) -> None:
    if endpoint is not None:
        raise MlflowException(
            f"the target polyhost has no endpoints: expected none; found {endpoint!r}.",
            error_code=INVALID_PARAMETER_VALUE,
        )
