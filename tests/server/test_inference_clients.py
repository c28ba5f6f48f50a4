"""Clients of the Open Inference Protocol that others wrote, against two fronts and real models."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families
from server.test_outcomes import wait_for
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from support.clients import client_python
from support.served import Served

SCRIPTS = Path(__file__).resolve().parents[1] / "clients"
COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
CELLS = [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3], [7.7, 2.6, 6.9, 2.3]]
ROWS = pd.DataFrame(CELLS, columns=COLUMNS)
REVERSE = """
def load_model(code_dir):
    return 1
def score_unstructured(model, data, query, **kwargs):
    return data[::-1]
"""
SLOW = """
import threading
def load_model(code_dir):
    return 1
def score(data, model, **kwargs):
    threading.Event().wait()
"""
RAISES = """
def load_model(code_dir):
    return 1
def score(data, model, **kwargs):
    raise RuntimeError("on purpose")
"""


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    iris = load_iris(as_frame=True)
    rows = iris.data.set_axis(COLUMNS, axis=1)
    names = iris.target.map(dict(enumerate(iris.target_names)))
    return {
        "iris": LogisticRegression(max_iter=1000).fit(rows, names),
        "sums": LinearRegression().fit(rows, rows.sum(axis=1)),
    }


@pytest.fixture(scope="module")
def server(models: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        (folder / name).mkdir()
        (folder / name / "model.pkl").write_bytes(pickle.dumps(model))
    for name, code in (("bytes", REVERSE), ("slow", SLOW), ("raises", RAISES)):
        (folder / name).mkdir()
        (folder / name / "custom.py").write_text(code, encoding="utf-8")
    classes = ["setosa", "versicolor", "virginica"]
    config = {
        "admin": {"enabled": True},
        "store": {"path": str(folder / "store")},
        "fronts": 2,
        "grpc_port": 0,
        "models": {
            "iris": {"target": {"type": "multiclass", "class_labels": classes}},
            "sums": {"target": {"type": "regression"}},
            "bytes": {"target": {"type": "unstructured"}},
            "slow": {"target": {"type": "regression"}, "limits": {"deadline": "1s"}},
            "raises": {"target": {"type": "regression"}},
        },
    }
    for name, model in config["models"].items():  # type: ignore[attr-defined]
        model["path"] = str(folder / name)
    path = folder / "polyhost.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    served = Served.start(tmp_path_factory.mktemp("server"), "--config", path, wait=False)
    served.wait_answering("/v2/health/ready")
    yield served
    served.stop()


def grpc_port(server: Served) -> str:
    found = re.search(r"gRPC: port (\d+)", server.err)
    assert found, server.err
    return found[1]


def run(script: str, *arguments: str) -> Any:
    done = subprocess.run(
        [str(client_python("inference")), str(SCRIPTS / script), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_tritonclient(server: Served, models: dict[str, Any], kind: str) -> None:
    seen = run(
        "triton_session.py",
        kind,
        f"127.0.0.1:{server.port if kind == 'http' else grpc_port(server)}",
    )
    errors = seen.pop("errors")
    iris, sums = models["iris"], models["sums"]
    labels = iris.predict(ROWS).tolist()
    probabilities = iris.predict_proba(ROWS)
    ready = dict.fromkeys(("iris", "sums", "bytes", "slow", "raises"), "READY")
    assert np.allclose(seen.pop("probabilities"), probabilities)
    if kind == "http":
        assert np.allclose(seen.pop("json"), probabilities)
    assert seen.pop("value") == pytest.approx(sums.predict(ROWS).tolist())
    assert seen.pop("loaded") == pytest.approx(sums.predict(ROWS).tolist())
    assert seen.pop("many") == pytest.approx(250_000 * 4.0)
    assert seen == {
        "live": True,
        "ready": True,
        "model": True,
        "extensions": [
            "binary_tensor_data",
            "model_repository",
            "model_repository(unload_dependents)",
        ],
        "metadata": {
            "inputs": [[name, "FP64", [-1]] for name in COLUMNS],
            "outputs": [["predict", "BYTES", [-1]], ["predict_proba", "FP64", [-1, 3]]],
        },
        "index": ready,
        "labels": labels,
        "same labels": labels,
        "columns": labels,
        "packed": labels,
        "id": "mine",
        "bytes": ["cba"],
        "unloaded": [False, {**ready, "sums": "UNAVAILABLE"}],
    }
    codes = {
        "model": ("404", "NOT_FOUND", "no model 'other' here"),
        "version": ("404", "NOT_FOUND", "no version '9'"),
        "width": ("400", "INVALID_ARGUMENT", "takes 4 column(s)"),
        "output": ("400", "INVALID_ARGUMENT", "no output 'other'"),
        "load": ("404", "NOT_FOUND", "no model 'other' here"),
        "late": ("504", "DEADLINE_EXCEEDED", "1"),
        "raises": ("500", "INTERNAL", "on purpose"),
        "unloaded": ("503", "UNAVAILABLE", "model 'sums' is unloaded"),
    }
    for name, (status, code, text) in codes.items():
        assert errors[name][0] == (status if kind == "http" else code), name
        assert text in errors[name][1]
    protocol = "v2" if kind == "http" else "grpc"
    wait_for(lambda: counted(server, protocol, "iris", "200") >= 4)  # fronts report once a second
    wait_for(lambda: counted(server, protocol, "slow", "504") == 1)


def test_kserve(server: Served, models: dict[str, Any]) -> None:
    seen = run(
        "kserve_session.py", f"http://127.0.0.1:{server.port}", f"127.0.0.1:{grpc_port(server)}"
    )
    iris = models["iris"]
    labels = iris.predict(ROWS).tolist()
    found = seen.pop("probabilities")
    assert [row.pop("label") for row in found] == labels
    assert pd.DataFrame(found)[list(iris.classes_)].to_numpy() == pytest.approx(
        iris.predict_proba(ROWS)
    )
    for name, (status, text) in {
        "explain": (501, "offers no explanations"),
        "unknown": (404, "no model 'other'"),
        "unknown ready": (404, ""),
        "no rows": (400, 'no "instances"'),
        "raises": (500, "on purpose"),
    }.items():
        found_status, message = seen.pop(name)
        assert found_status == status, (name, message)
        assert text in message
    event = [["1.0", "io.kserve.inference.response", "io.kserve.inference.iris"], True]
    predictions = {"predictions": labels}
    assert seen == {
        "live": [True, True],
        "ready": True,
        "model": [True, True],
        **dict.fromkeys(("lists", "objects", "columns", "inputs"), labels),
        **dict.fromkeys(("v2 binary=False", "v2 binary=True", "v2 frame", "grpc"), labels),
        "grpc ready": [True, True],
        "event structured": [*event, "application/cloudevents+json", predictions],
        "event binary": [*event, "application/json", predictions],
        "event without source": 400,
    }


def counted(server: Served, protocol: str, model: str, code: str) -> float:
    """Requests that the server's metrics have."""
    for family in text_string_to_metric_families(server.client.get("/metrics").text):
        for sample in family.samples:
            labels = {"protocol": protocol, "model": model, "code": code}
            if sample.name == "polyhost_requests_total" and labels.items() <= sample.labels.items():
                return sample.value
    return 0.0
