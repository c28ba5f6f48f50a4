"""Models that MLflow itself saved, in an environment with MLflow: the answers are its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import mlflow_save
from support.clients import client_python
from support.served import Served

NAMES = ("methods", "hints", "skops", "chat")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The folder of the models, and what MLflow's own ``load_model`` answers."""
    folder = tmp_path_factory.mktemp("saved")
    command = [str(client_python("mlflow")), mlflow_save.__file__, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def served(saved: tuple[Path, list[Any]]) -> Iterator[Served]:
    folder = saved[0]
    models = [folder / name for name in NAMES]
    found = Served.start(folder, *models, "--python", client_python("mlflow"))
    yield found
    found.stop()


@pytest.mark.parametrize("place", range(len(mlflow_save.ASKED)))
def test_it_answers_what_mlflow_answers(
    saved: tuple[Path, list[Any]], served: Served, place: int
) -> None:
    name, body = mlflow_save.ASKED[place]
    reply = served.client.post(f"/models/{name}/invocations", json=body)
    assert reply.status_code == 200, reply.text
    expected, found = saved[1][place], reply.json()["predictions"]
    if isinstance(expected[0], str):
        assert found == expected
    else:
        assert found[0] == pytest.approx(expected[0], rel=1e-12)


def test_parameters_of_a_wrong_type_are_refused(served: Served) -> None:
    body = {"dataframe_records": [mlflow_save.ROW], "params": {"predict_method": 3}}
    reply = served.client.post("/models/methods/invocations", json=body)
    assert (reply.status_code, reply.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_an_exception_of_mlflows_class_has_its_own_status(served: Served) -> None:
    body = {"dataframe_records": [mlflow_save.ROW], "params": {"predict_method": "none"}}
    reply = served.client.post("/models/methods/invocations", json=body)
    assert (reply.status_code, reply.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "no such method" in reply.json()["message"]


def test_type_hints_check_their_own_input(served: Served) -> None:
    for body in ({"inputs": [1]}, {"instances": ["a"]}, {"dataframe_split": {"data": [["a"]]}}):
        reply = served.client.post("/models/hints/invocations", json=body)
        assert (reply.status_code, reply.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_chat_is_answered_whole_or_part_by_part(served: Served) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    whole = served.client.post("/models/chat/invocations", json=body)
    assert whole.json() == {"said": "hello", "asked": "hi"}
    parts = served.client.post("/models/chat/invocations", json={**body, "stream": True})
    assert parts.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert parts.text == 'data: {"part":"hello"}\n\ndata: {"part":"hi"}\n\ndata: [DONE]\n\n'
