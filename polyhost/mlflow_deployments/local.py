"""``mlflow deployments run-local -t polyhost``: a model served on this machine."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any, Dict, Optional

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE

PORT = "5000"
_KNOWN = ("host", "port", "env_manager")


def run_local(
    name: str,
    model_uri: str,
    flavor: Optional[str] = None,
    config: Optional[Dict[str, Any]] = None,
) -> None:
    """Serve a model until interrupted; MlflowException when it could not be served."""
    given = dict(config or {})
    unknown = sorted(set(given) - set(_KNOWN))
    if unknown:
        raise MlflowException(
            f"unknown settings {', '.join(unknown)}: expected {', '.join(_KNOWN)}.",
            error_code=INVALID_PARAMETER_VALUE,
        )
    source = re.sub(r"^file://(?=/)", "", model_uri)
    command = [sys.executable, "-m", "polyhost", "serve", f"{name}={source}", "--wait"]
    command += ["--host", str(given.get("host", "127.0.0.1"))]
    command += ["--port", str(given.get("port", PORT))]
    if "env_manager" in given:
        command += ["--env-manager", str(given["env_manager"])]
    with subprocess.Popen(command) as process:
        try:
            code = process.wait()
        except BaseException:  # an interrupt reaches the server too; another end does not
            process.terminate()
            process.wait()
            raise
    if code != 0:
        raise MlflowException(
            f"polyhost serve ended with exit code {code}: what it printed says why.",
            error_code=INTERNAL_ERROR,
        )
