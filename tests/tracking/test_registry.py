"""A server that follows a real registry: what its clients see as the registry changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from support.forwarder import Forwarder
from support.served import Served

WITHIN = 60.0
METADATA = b"name: m\ntype: inference\ntargetType: regression\n"


def times(factor: float) -> dict[str, bytes]:
    """A model that multiplies."""
    text = f"""
import pandas as pd

def load_model(code_dir):
    return {factor}

def score(data, model, **kwargs):
    return pd.DataFrame({{"Predictions": data["a"] * model}})
"""
    return {"custom.py": text.encode(), "model-metadata.yaml": METADATA}


def until(look: Callable[[], Any], expected: Any) -> None:
    """Wait until a look finds what is expected."""
    end = time.monotonic() + WITHIN
    while (found := look()) != expected:
        assert time.monotonic() < end, f"expected {expected}; found {found}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def way(tracking):
    """The way to the tracking server."""
    found = Forwarder(int(tracking.uri.rpartition(":")[2]))
    yield found
    found.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory, way):
    folder = tmp_path_factory.mktemp("following")
    environ = {"XDG_CACHE_HOME": str(folder / "cache"), "POLYHOST__ADMIN__ENABLED": "true"}
    uri = f"http://127.0.0.1:{way.port}"
    found = Served.start(folder, "--registry", uri, "--registry-interval", "200ms", env=environ)
    yield found
    found.stop()


def state(served: Served, name: str) -> Any:
    """Version and state of a model; None when it is not there."""
    reply = served.client.get(f"/admin/models/{name}")
    found = reply.json()
    return (found["version"], found["state"]) if reply.status_code == 200 else None


def predict(served: Served, name: str) -> Any:
    reply = served.post(f"/models/{name}/predict/", "a\n3\n")
    return reply.json().get("predictions", reply.json())


def test_a_tagged_model_comes_moves_and_goes(tracking, served):
    tracking.register("times", times(2))
    tracking.register("untagged", times(2))
    tracking.tag("times", "datagrok")
    until(lambda: state(served, "times"), ("1", "unloaded"))
    assert predict(served, "times") == [6.0]
    assert state(served, "times") == ("1", "ready")
    tracking.register("times", times(5))
    until(lambda: state(served, "times"), ("2", "ready"))
    assert predict(served, "times") == [15.0]
    assert state(served, "untagged") is None
    tracking.untag("times", "datagrok")
    until(lambda: state(served, "times"), None)
    assert served.post("/models/times/predict/", "a\n3\n").status_code == 404


def test_a_version_moves_on_while_nobody_has_asked_for_it(tracking, served):
    tracking.register("unasked", times(2))
    tracking.tag("unasked", "datagrok")
    until(lambda: state(served, "unasked"), ("1", "unloaded"))
    tracking.register("unasked", times(7))
    until(lambda: state(served, "unasked"), ("2", "unloaded"))
    assert predict(served, "unasked") == [21.0]


def test_what_mlflow_logged_is_served_and_described(tracking, served):
    name = "my iris"
    tracking.tag(name, "datagrok-inputs-0-name", "Molecule")
    tracking.tag(name, "datagrok-inputs-0-semtype", "Molecule")
    tracking.tag(name, "datagrok-outputs-0-name", "activity")
    tracking.tag(name, "datagrok")
    until(lambda: state(served, "my-iris"), ("2", "unloaded"))
    body = {"dataframe_split": {"columns": ["a", "b"], "data": [[1.0, 0.0]]}}
    reply = served.client.post("/models/my-iris/invocations", json=body)
    assert reply.json()["predictions"] == pytest.approx(tracking.seeded["predicted"])
    inputs = [
        {"name": "Molecule", "column": "a", "type": "double", "semtype": "Molecule"},
        {"name": "b", "type": "double"},
    ]
    info = served.client.get("/models/my-iris/info/").json()
    assert (info["inputs"], info["outputs"][0]["name"]) == (inputs, "activity")
    assert info["registry"] == {"name": name, "version": 2}
    described = served.client.get("/v2/models/my-iris").json()
    assert [each["parameters"] for each in described["inputs"]] == inputs
    tracking.untag(name, "datagrok")
    until(lambda: state(served, "my-iris"), None)


def test_while_the_registry_is_away_what_is_loaded_answers(tracking, way, served):
    tracking.register("stays", times(2))
    tracking.tag("stays", "datagrok")
    until(lambda: state(served, "stays"), ("1", "unloaded"))
    assert predict(served, "stays") == [6.0]
    way.close()
    until(lambda: "what is served stays: cannot reach" in served.err, True)
    assert predict(served, "stays") == [6.0]
    way.open()
    tracking.register("stays", times(3))
    until(lambda: state(served, "stays"), ("2", "ready"))
    assert predict(served, "stays") == [9.0]


def test_a_model_that_cannot_be_served_says_why(tracking, served):
    tracking.register("broken", {"MLmodel": b"flavors: {no_such_flavor: {}}\n"})
    tracking.tag("broken", "datagrok")
    until(lambda: (state(served, "broken") or (0, 0))[1], "failed")
    assert "no_such_flavor" in served.client.get("/admin/models/broken").json()["reason"]
    tracking.untag("broken", "datagrok")
    until(lambda: state(served, "broken"), None)


def test_the_end_waits_for_no_registry(tracking, tmp_path):
    """A registry that accepts connections and never answers."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        served = Served.start(tmp_path, "--registry", uri, env={"XDG_CACHE_HOME": str(tmp_path)})
        connection, _ = silent.accept()
        served.stop()
        connection.close()
