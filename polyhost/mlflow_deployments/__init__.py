"""MLflow's deployment target ``polyhost``: models of a running host, over its admin API.

MLflow finds it by the entry point ``polyhost`` of the group ``mlflow.deployments`` and runs it in its
own process, so that it needs MLflow and what MLflow needs, and nothing else of polyhost. MLflow
takes the one client class that it finds in this module.
"""

from __future__ import annotations

from polyhost.mlflow_deployments.client import PolyhostClient
from polyhost.mlflow_deployments.local import run_local
from polyhost.mlflow_deployments.target import target_help

__all__ = ["PolyhostClient", "run_local", "target_help"]
