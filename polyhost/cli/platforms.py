"""Where a platform puts a container's model, and which port it calls: what ``serve`` is not given.

SageMaker, Vertex AI, Azure ML and KServe start a container with their own variables and folders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from polyhost.config.schema import VARIABLE_PREFIX

FOLDERS = ("/opt/ml/model", "/mnt/models")
"""SageMaker's and KServe's."""
_PORTS = ("SAGEMAKER_BIND_TO_PORT", "AIP_HTTP_PORT")
"""Variables that only these platforms set."""
_USUAL_PORT = "8080"
_EVERYWHERE = "0.0.0.0"


def model_source(environment: Mapping[str, str], folders: Iterable[str] = FOLDERS) -> str:
    """The model that a platform brought: a folder or an address; empty when there is none."""
    folder = environment.get("AZUREML_MODEL_DIR", "")
    if folder:
        return str(_inner(Path(folder)))
    found = next((each for each in folders if _holds_files(Path(each))), "")
    return found or environment.get("AIP_STORAGE_URI", "")


def with_address(environment: Mapping[str, str], brought: bool) -> dict[str, str]:
    """The environment with the address that a platform calls, where polyhost's own names none.

    ``brought``: the model is the platform's, so that ``PORT`` and its usual port count as well.
    """
    port = next((environment[name] for name in _PORTS if environment.get(name)), "")
    if brought or is_multi_model(environment):
        port = port or environment.get("PORT") or _USUAL_PORT
    own = {f"{VARIABLE_PREFIX}PORT": port, f"{VARIABLE_PREFIX}HOST": _EVERYWHERE} if port else {}
    return {**own, **environment}


def is_multi_model(environment: Mapping[str, str]) -> bool:
    """Whether SageMaker loads the models of this container itself, over HTTP."""
    return environment.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true"


def _inner(folder: Path) -> Path:
    """Azure ML's folder, or the one folder that is all it holds: the model as it was registered."""
    inside = list(folder.iterdir()) if folder.is_dir() else []
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
