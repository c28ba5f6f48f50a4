"""A real tracking server of MLflow on a real database, and what the tests change on it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil
from support.clients import client_python

READY_WITHIN = 240.0
API = "/api/2.0/mlflow"


def mlflow_environment(folder: Path, **more: str) -> dict[str, str]:
    """What MLflow's own programs run with: its environment's commands first, and nothing sent out."""
    python = client_python("mlflow")
    return {
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "GIT_PYTHON_REFRESH": "quiet",
        "NO_PROXY": "*",
        "OPENBLAS_NUM_THREADS": "1",
        **more,
    }


def run_mlflow(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script, or ``-m mlflow ...``, by MLflow's interpreter."""
    return subprocess.run(
        [str(client_python("mlflow")), *arguments],
        cwd=folder,
        env=mlflow_environment(folder, **environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@dataclass
class TrackingServer:
    """A running server; ``seeded`` is what the script that filled it printed."""

    process: subprocess.Popen[bytes]
    folder: Path
    uri: str
    seeded: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def start(cls, folder: Path) -> TrackingServer:
        """Start one whose database and artifacts are in ``folder``."""
        python = client_python("mlflow")
        store = ("--backend-store-uri", "sqlite:///tracking.db", "--artifacts-destination", "kept")
        where = ("--host", "127.0.0.1", "--port", "0", "--workers", "1")
        with open(folder / "server.log", "ab") as log:
            process = subprocess.Popen(
                [str(python), "-m", "mlflow", "server", *store, *where],
                cwd=folder,
                env=mlflow_environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        server = cls(process, folder, "")
        server.uri = f"http://127.0.0.1:{server._listening()}"
        server._wait()
        return server

    def _listening(self) -> int:
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(psutil.Error):
                found = psutil.Process(self.process.pid)
                for process in (found, *found.children(recursive=True)):
                    for connection in process.net_connections("tcp"):
                        if connection.status == psutil.CONN_LISTEN:
                            return int(connection.laddr.port)
            time.sleep(0.1)
        raise AssertionError(f"MLflow's server never listened\n{self.log}")

    def _wait(self) -> None:
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.uri}/health", timeout=60, trust_env=False).status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"MLflow's server never answered\n{self.log}")

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def seed(self, script: Path) -> None:
        """Run a script of MLflow's client against it; it prints one line of JSON."""
        done = run_mlflow(self.folder, str(script), MLFLOW_TRACKING_URI=self.uri)
        assert done.returncode == 0, done.stdout + done.stderr
        self.seeded = json.loads(done.stdout.splitlines()[-1])

    def call(self, method: str, path: str, **body: Any) -> Any:
        """One call of its REST API."""
        with httpx.Client(base_url=self.uri, timeout=60, trust_env=False) as client:
            reply = client.request(method, f"{API}/{path}", json=body or None)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def upload(self, uri: str, data: bytes) -> None:
        """Put an artifact at an ``mlflow-artifacts:`` address."""
        path = quote(uri.removeprefix("mlflow-artifacts:/"))
        place = f"{self.uri}/api/2.0/mlflow-artifacts/artifacts/{path}"
        reply = httpx.put(place, content=data, timeout=60, trust_env=False)
        assert reply.status_code == 200, reply.text

    def log_run(self, files: dict[str, bytes], path: str) -> str:
        """Make a run with these artifacts below ``path``; its id."""
        run = self.call("POST", "runs/create", experiment_id="0")["run"]["info"]
        for file, data in files.items():
            self.upload(f"{run['artifact_uri']}/{path}/{file}", data)
        return str(run["run_id"])

    def register(self, name: str, files: dict[str, bytes], path: str = "given") -> int:
        """Register a version of a model with these files; its number."""
        with contextlib.suppress(AssertionError):  # it is there already
            self.call("POST", "registered-models/create", name=name)
        run = self.log_run(files, path)
        source = (
            f"{self.call('GET', f'runs/get?run_id={run}')['run']['info']['artifact_uri']}/{path}"
        )
        made = self.call("POST", "model-versions/create", name=name, source=source, run_id=run)
        return int(made["model_version"]["version"])

    def tag(self, name: str, key: str, value: str = "") -> None:
        self.call("POST", "registered-models/set-tag", name=name, key=key, value=value)

    def untag(self, name: str, key: str) -> None:
        self.call("DELETE", "registered-models/delete-tag", name=name, key=key)

    def alias(self, name: str, alias: str, version: int) -> None:
        call = {"name": name, "alias": alias, "version": str(version)}
        self.call("POST", "registered-models/alias", **call)

    def stop(self) -> None:
        """End it and its processes."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        for process in (*family, psutil.Process(self.process.pid)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
