"""Models of one's own (pyfunc) that MLflow saved, in an environment with MLflow: what it answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.clients import client_python
from support.mlflow_server import run_mlflow
from support.served import Served

NAMES = ("method", "stream", "plain", "function", "proba", "clash1", "clash2")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    done = run_mlflow(folder, str(Path(__file__).parent / "save_pyfunc.py"), str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def served(saved, tmp_path_factory):
    folder, _ = saved
    models = [folder / name for name in NAMES]
    place = tmp_path_factory.mktemp("host")
    found = Served.start(place, *models, "--python", client_python("mlflow"))
    yield found
    found.stop()


def test_parameters_choose_the_method_as_with_mlflow(saved, served):
    """Unknown parameters are left out, wrong types are refused, and absent ones have their default."""
    _, said = saved
    assert len(said["cases"]) == 16
    for case in said["cases"]:
        reply = served.client.post(f"/models/{case['model']}/invocations", json=case["body"])
        found = reply.json()
        if "predictions" in case:
            assert reply.status_code == 200, (case, found)
            assert numbers(found["predictions"]) == pytest.approx(numbers(case["predictions"]))
        elif "refused" in case:
            assert (reply.status_code, found["error_code"]) == (400, case["refused"]), case
        else:
            assert (reply.status_code, found["error_code"]) == (400, "BAD_REQUEST"), case
    refused = [case for case in said["cases"] if "refused" in case]
    assert len(refused) == 3


def numbers(value) -> dict:
    """Cells by their place, nested lists included; what is no number is compared as it is."""
    if not isinstance(value, list):
        return {"": value}
    return {f"{i}.{k}": v for i, one in enumerate(value) for k, v in numbers(one).items()}


def test_modules_of_one_name_belong_to_their_own_models(served):
    """mlflow/mlflow#5923, #4061, #12377: one process would answer with the first model's module."""
    answers = [
        served.client.post(f"/models/{name}/invocations", json={"inputs": [1]}).json()
        for name in ("clash1", "clash2", "clash1")
    ]
    assert answers == [{"predictions": [n]} for n in (1, 2, 1)]


def test_an_unknown_parameter_is_warned_of(saved, served):
    body = {"dataframe_split": saved[1]["split"], "params": {"misspelt_one": 1}}
    assert served.client.post("/models/method/invocations", json=body).status_code == 200
    assert "misspelt_one" in served.err


def test_a_stream_comes_part_by_part(saved, served):
    split = saved[1]["split"]
    body = {"dataframe_split": {**split, "data": split["data"][:1]}}  # MLflow streams one row only
    headers = {"Accept": "text/event-stream"}
    place = "/models/stream/invocations"
    with served.client.stream("POST", place, json=body, headers=headers) as reply:
        lines = [line for line in reply.iter_lines() if line.startswith("data: ")]
    assert reply.headers["content-type"].startswith("text/event-stream")
    parts = [json.loads(line[6:]) for line in lines if line != "data: [DONE]"]
    assert parts == saved[1]["parts"]
    several = {"dataframe_split": split}
    reply = served.client.post(place, json=several, headers=headers)
    assert reply.status_code == 400
    assert "expected one row; found 4" in reply.text
