"""The environment variables a worker gets."""

from __future__ import annotations

import os
from typing import Dict, Mapping

ALLOWED = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TERM",
        "LD_LIBRARY_PATH",
        "VIRTUAL_ENV",
        "PYTHONPATH",
        "PYTHONHASHSEED",
        "PYTHONUNBUFFERED",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "JAVA_HOME",
        "JDK_HOME",
        "TARGET_NAME",
        "CODE_DIR",
    ]
)
ALLOWED_PREFIXES = (
    "LC_",
    "R_",
    "JULIA_",
    "DRUM_",
    "MLOPS_RUNTIME_PARAM_",
    "POLYHOST_MODEL_",
    "OMP_",
    "OPENBLAS_",
    "MKL_",
    "CUDA_",
    "NVIDIA_",
)
"""What ``serve`` hands to workers; whatever else the operator's shell holds stays there."""


def worker_environment(
    own: bool, extra: Mapping[str, str], temp_dir: str, source: Mapping[str, str] = os.environ
) -> Dict[str, str]:
    """The variables of a worker: the host's own, or those on the allow-list; then the bridge's
    ``extra`` and a TMPDIR that goes away with the worker."""
    env = {
        name: value
        for name, value in source.items()
        if own or name in ALLOWED or name.startswith(ALLOWED_PREFIXES)
    }
    env.update(extra)
    env["TMPDIR"] = temp_dir
    return env
