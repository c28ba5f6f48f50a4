"""The deployment target ``polyhost``, from MLflow's own command and API."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from support.clients import client_python
from support.mlflow_server import mlflow_environment, run_mlflow
from support.served import Served

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def host(tracking, tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    (folder / "polyhost.yaml").write_text('admin: {enabled: true, addresses: ["models:/"]}\n')
    environ = {"XDG_CACHE_HOME": str(folder / "cache"), "MLFLOW_TRACKING_URI": tracking.uri}
    found = Served.start(folder, "--config", folder / "polyhost.yaml", env=environ)
    yield found
    found.stop()


def test_the_api_creates_updates_lists_gets_predicts_and_deletes(tracking, host, tmp_path):
    target = f"polyhost:/http://127.0.0.1:{host.port}"
    done = run_mlflow(tmp_path, str(HERE / "deploy.py"), target, str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    one = tracking.seeded["one"]
    assert said["created"] == {
        "name": "iris", "version": "1", "state": "ready", "flavor": "python_function"
    }  # fmt: skip
    assert said["frame"] == said["typed"] == pytest.approx([one["half"]])
    assert said["arrays"] == pytest.approx([one["zero"]])
    assert said["updated"] == {"name": "iris", "version": "2", "flavor": "sklearn"}
    assert said["after"] == pytest.approx([10 * one["half"]])
    assert (said["listed"], said["got"], said["left"]) == (["iris"], "2", [])
    codes = {key: said[key][0] for key in ("twice", "absent", "outside", "setting", "replicas")}
    assert codes == {
        "twice": "RESOURCE_ALREADY_EXISTS",
        "absent": "RESOURCE_DOES_NOT_EXIST",
        "outside": "INVALID_PARAMETER_VALUE",
        "setting": "INVALID_PARAMETER_VALUE",
        "replicas": "INVALID_PARAMETER_VALUE",
    }
    assert "no_such" in said["setting"][1]
    assert said["endpoint"][0] == "INVALID_PARAMETER_VALUE"
    assert said["wrong"][0] == "INVALID_PARAMETER_VALUE"
    assert "missing inputs ['b']" in said["wrong"][1]
    assert "cannot reach the host at http://127.0.0.1:9" in said["away"][1]


COMMANDS = """
import json, sys
from click.testing import CliRunner
from mlflow.cli import cli

name = ["-t", "polyhost", "--name", "cli"]
commands = [
    ["create", *name, "-m", "models:/my iris/1", "-C", "limits.deadline=9s"],
    ["predict", *name, "-I", "in.json"],
    ["list", "-t", "polyhost"],
    ["get", *name],
    ["update", *name, "-C", "replicas=2"],
    ["delete", *name],
    ["help", "-t", "polyhost"],
]
done = [CliRunner().invoke(cli, ["deployments", *words]) for words in commands]
print(json.dumps([[each.exit_code, each.output] for each in done]))
"""


def test_the_command_does_the_same(host, tmp_path):
    """MLflow's own, one after another in one process of its."""
    (tmp_path / "in.json").write_text('{"a": {"0": 1.0}, "b": {"0": 0.0}}')
    environ = {"POLYHOST_URL": f"http://127.0.0.1:{host.port}"}
    done = run_mlflow(tmp_path, "-c", COMMANDS, **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert [code for code, _ in said] == [0] * 7, said
    created, predicted, listed, got, updated, deleted, helped = (text for _, text in said)
    assert "python_function deployment cli is created" in created
    assert '"predictions"' in predicted
    assert "cli" in listed
    assert "state: ready" in got
    assert "cli is updated" in updated
    assert "cli is deleted" in deleted
    assert "polyhost.yaml by its dotted name" in helped


def test_run_local_serves_until_it_is_interrupted(tracking, tmp_path):
    port = _free_port()
    command = [
        client_python("mlflow"),
        "-m",
        "mlflow",
        "deployments",
        "run-local",
        "-t",
        "polyhost",
    ]
    command += ["--name", "m", "-m", "models:/my iris/1", "-C", f"port={port}"]
    environ = {"MLFLOW_TRACKING_URI": tracking.uri, "XDG_CACHE_HOME": str(tmp_path)}
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=tmp_path,
            env=mlflow_environment(tmp_path, **environ),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    body = {"inputs": {"a": [1.0], "b": [0.0]}}
    until = time.monotonic() + 120
    reply = None
    while reply is None and process.poll() is None and time.monotonic() < until:
        try:
            reply = httpx.post(f"http://127.0.0.1:{port}/invocations", json=body, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    process.wait(60)
    assert reply is not None, (tmp_path / "log").read_text()
    assert reply.json() == {"predictions": pytest.approx([tracking.seeded["one"]["zero"]])}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
