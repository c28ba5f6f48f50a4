"""Which host a target names, and requests to it."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Mapping, Optional
from urllib.parse import quote

import requests
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INTERNAL_ERROR,
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    RESOURCE_DOES_NOT_EXIST,
)

NAME = "polyhost"
URL, KEY, KEY_FILE = "POLYHOST_URL", "POLYHOST_KEY", "POLYHOST_KEY_FILE"
DEFAULT = "http://127.0.0.1:8000"
LIMIT = 900.0
"""Seconds that a model may take to load."""
_CODES: Mapping[int, int] = {
    400: INVALID_PARAMETER_VALUE,
    401: PERMISSION_DENIED,
    403: PERMISSION_DENIED,
    404: RESOURCE_DOES_NOT_EXIST,
    422: INVALID_PARAMETER_VALUE,
}


def target_help() -> str:
    """What ``mlflow deployments help -t polyhost`` prints."""
    return f"""\
Target polyhost: the models of a running `polyhost serve` whose admin API is enabled.

  mlflow deployments create -t polyhost --name iris -m models:/iris@champion

Targets: `polyhost` is the host at ${URL}, else at {DEFAULT};
`polyhost:/https://HOST:PORT` names one. A key of the role admin is read from
${KEY}, or from the file that ${KEY_FILE} names.

Model URIs are read by the host: folders below its admin.roots as it sees
them, and addresses (models:/, runs:/, s3://, ...) that its admin.addresses
allows, of the tracking server that the host's own MLFLOW_TRACKING_URI names.

-C settings: replicas=N, version=TEXT, and every setting of a model in
polyhost.yaml by its dotted name, such as limits.deadline=5s, env=uv, lazy=true.

`run-local` serves the model on this machine: -C host=, port= (5000), env_manager=.
"""


class Target:
    """One host."""

    def __init__(self, uri: str) -> None:
        rest = uri.partition(":")[2].lstrip("/")
        if rest and not rest.startswith(("http:", "https:")):
            rest = f"http://{rest}"
        scheme, _, place = rest.partition(":")
        named = f"{scheme}://{place.lstrip('/')}" if rest else ""
        self.url = (named or os.environ.get(URL) or DEFAULT).rstrip("/")
        self._session = requests.Session()
        key = os.environ.get(KEY) or _key_in_file()
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def admin(self, method: str, path: str, body: Optional[Dict[str, Any]] = None) -> Any:
        """One request to the admin API; MlflowException says what it refuses."""
        return self.ask(method, f"/admin/{path}", None if body is None else json.dumps(body))

    def ask(self, method: str, path: str, body: Optional[str] = None) -> Any:
        """One request, whose answer is JSON."""
        try:
            reply = self._session.request(
                method,
                self.url + path,
                data=None if body is None else body.encode("utf-8"),
                headers={"Content-Type": "application/json"},
                timeout=(10.0, LIMIT),
            )
        except requests.RequestException as error:
            raise MlflowException(
                f"cannot reach the host at {self.url}: {error}. See that `polyhost serve` runs "
                f"there, or name another as polyhost:/http://HOST:PORT or in {URL}.",
                error_code=INTERNAL_ERROR,
            ) from None
        if not reply.ok:
            code = _CODES.get(reply.status_code, INTERNAL_ERROR)
            raise MlflowException(_refusal(reply), error_code=code)
        return reply.json()


def of_model(name: str) -> str:
    """The path of a model below the admin API's own."""
    return f"models/{quote(name, safe='')}"


def _key_in_file() -> str:
    path = os.environ.get(KEY_FILE)
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        raise MlflowException(
            f"{KEY_FILE}: cannot read {path}: {error.strerror}.", error_code=INVALID_PARAMETER_VALUE
        ) from None


def _refusal(reply: requests.Response) -> str:
    """What the host says of a request that it refuses."""
    try:
        found = reply.json()
    except ValueError:
        found = {}
    said = found.get("error") or found.get("message") if isinstance(found, dict) else None
    text = str(said) if said else reply.text[:500]
    if reply.status_code == 404 and not said:
        text = "no admin API there: expected `admin: {enabled: true}` in its configuration"
    return f"{reply.url}: {reply.status_code}: {text}"
