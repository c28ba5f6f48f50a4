"""How each peer is started on a model, and in what form it wants its rows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import bodies
import environments
from servers import free_port

APPS = Path(__file__).resolve().parent / "apps"
POSITIVE, NEGATIVE = "yes", "no"


@dataclass(frozen=True)
class Start:
    """What starts a server: a command, what it adds to the environment, the folder it runs in."""

    command: list[str]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """One contender.

    ``environment`` is the name of its virtual environment; empty is the one that runs this.
    ``prepare(folder, port)`` writes what it needs beside ``model.pkl`` in its own folder.
    """

    name: str
    environment: str
    path: str
    prepare: Callable[[Path, int], Start]
    row: bodies.Form
    table: bodies.Form | None = None
    csv: bodies.Form | None = None

    @property
    def python(self) -> str:
        if not self.environment:
            return sys.executable
        return str(environments.python_of(self.environment))


def ours(folder: Path, port: int) -> Start:
    command = [sys.executable, "-m", "polyhost", "serve", f"bench={_code_dir(folder)}"]
    command += ["--port", str(port), "--target-type", "binary"]
    command += ["--positive-class-label", POSITIVE, "--negative-class-label", NEGATIVE]
    return Start(command)


def _code_dir(folder: Path) -> Path:
    """A folder that holds the model and nothing else."""
    code_dir = folder / "code"
    code_dir.mkdir(exist_ok=True)
    shutil.copy(folder / "model.pkl", code_dir)
    return code_dir


def bare(kind: str) -> Callable[[Path, int], Start]:
    def prepare(folder: Path, port: int) -> Start:
        python = str(environments.python_of("bare"))
        return Start([python, str(APPS / "bare.py"), kind, str(folder / "model.pkl"), str(port)])

    return prepare


def drum(folder: Path, port: int) -> Start:
    command = [_tool("drum", "drum"), "server", "--code-dir", str(_code_dir(folder))]
    command += ["--address", f"127.0.0.1:{port}", "--target-type", "binary"]
    command += ["--positive-class-label", POSITIVE, "--negative-class-label", NEGATIVE]
    return Start(command)


def mlflow(folder: Path, port: int) -> Start:
    saved = folder / "mlflow"
    save = [str(environments.python_of("mlflow")), str(APPS / "save_mlflow.py")]
    subprocess.run([*save, str(folder / "model.pkl"), str(saved)], check=True)
    command = [_tool("mlflow", "mlflow"), "models", "serve", "--model-uri", str(saved)]
    command += ["--port", str(port), "--env-manager", "local"]
    return Start(command, {"PATH": _path("mlflow"), "MLFLOW_DISABLE_TELEMETRY": "true"})


def mlserver(folder: Path, port: int) -> Start:
    home = folder / "mlserver"
    home.mkdir()
    model = {
        "name": "bench",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(folder / "model.pkl")},
    }
    ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    settings = {"host": "127.0.0.1", "debug": False, **ports}
    (home / "model-settings.json").write_text(json.dumps(model))
    (home / "settings.json").write_text(json.dumps(settings))
    return Start([_tool("mlserver", "mlserver"), "start", str(home)])


def bentoml(folder: Path, port: int) -> Start:
    command = [_tool("bentoml", "bentoml"), "serve", "bento_service:Bench", "--port", str(port)]
    command += ["--host", "127.0.0.1", "--working-dir", str(APPS)]
    variables = {"BENCH_MODEL": str(folder / "model.pkl"), "BENTOML_DO_NOT_TRACK": "True"}
    return Start(command, {**variables, "PATH": _path("bentoml")})


def litserve(folder: Path, port: int) -> Start:
    python = str(environments.python_of("litserve"))
    return Start([python, str(APPS / "lit.py"), str(folder / "model.pkl"), str(port)])


def _tool(environment: str, name: str) -> str:
    return str(environments.python_of(environment).parent / name)


def _path(environment: str) -> str:
    """For servers that start further programs of their environment by their bare names."""
    return f"{environments.python_of(environment).parent}{os.pathsep}{os.environ['PATH']}"


PEERS = {
    peer.name: peer
    for peer in (
        Peer("polyhost", "", "/predict/", ours, bodies.split, bodies.split, bodies.csv),
        Peer("bare", "bare", "/predict/", bare("numpy"), bodies.split, bodies.split, bodies.csv),
        Peer(
            "bare-frame", "bare", "/predict/", bare("frame"), bodies.split, bodies.split, bodies.csv
        ),
        Peer("mlserver", "mlserver", "/v2/models/bench/infer", mlserver, bodies.tensor),
        Peer("litserve", "litserve", "/predict", litserve, bodies.argument),
        Peer("drum", "drum", "/predict/", drum, bodies.csv),
        Peer("bentoml", "bentoml", "/predict", bentoml, bodies.argument),
        Peer("mlflow", "mlflow", "/invocations", mlflow, bodies.split),
    )
}
