"""``polyhost serve --engine ray`` on a cluster of two nodes on this machine, over real sockets."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import httpx
import pytest
from support import ray_cluster

from polyhost.cluster import ray_serve
from polyhost.config import load
from polyhost.errors import SettingsError

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own are many

MODELS = Path(__file__).parents[1] / "models"
ROWS = "a,b,name\n1.5,0.5,ann\n2.5,1,bob\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with ray_cluster.started(tmp_path_factory.mktemp("cache"), 4, 4) as found:
        yield found


@pytest.fixture(scope="module")
def client():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as found:
        yield found


def settings_of(listen, models, **flags):
    places = [(name, str(MODELS / scenario)) for name, scenario in models.items()]
    flags = {"models.target.type": "regression", **flags} if len(places) == 1 else flags
    return load(None, {}, {"port": listen, **flags}, places).settings


def deployed(client, models, **flags):
    return ray_serve.deploy(
        settings_of(client.base_url.port, models, **flags), ray_serve.Scaling(1, 2, 2, 0.5)
    )


def predict(client, path):
    reply = client.post(path, content=ROWS, headers={"Content-Type": "text/csv"})
    assert reply.status_code == 200, reply.text
    return reply.json()["predictions"]


@pytest.mark.parametrize(
    "language",
    [
        pytest.param(name, marks=pytest.mark.runtime(name))
        for name in ("python", "r", "java", "julia")
    ],
)
def test_a_model_of_each_language_has_its_routes(cluster, client, language):
    names = deployed(client, {language: f"score_regression/{language}"})
    try:
        assert predict(client, "/predict/") == [2.5, 4.5]
        assert predict(client, f"/models/{language}/predict/") == [2.5, 4.5]
        assert client.get("/readyz").json()["models"] == {language: "ready"}
        assert client.get("/nowhere").status_code == 404
    finally:
        ray_serve.remove(names)


def test_several_models_are_deployments_of_their_own(cluster, client, tmp_path, monkeypatch):
    for name in ("one", "two"):
        shutil.copytree(MODELS / "score_regression/python", tmp_path / name)
        (tmp_path / name / "model-metadata.yaml").write_text("targetType: regression\n")
    monkeypatch.setattr(f"{__name__}.MODELS", tmp_path)
    names = deployed(client, {"one": "one", "two": "two"})
    try:
        assert sorted(names) == ["polyhost", "polyhost-one", "polyhost-two"]
        shutil.rmtree(tmp_path / "one")  # replicas have what was shipped
        for name in ("one", "two"):
            assert predict(client, f"/models/{name}/predict/") == [2.5, 4.5]
        assert client.get("/livez").status_code == 200
        reply = client.post(
            "/v2/models/two/infer",
            json={
                "inputs": [
                    {"name": "a", "shape": [1], "datatype": "FP64", "data": [4.0]},
                    {"name": "b", "shape": [1], "datatype": "FP64", "data": [1.0]},
                ]
            },
        )
        assert reply.status_code == 200, reply.text
        assert reply.json()["outputs"][0]["data"] == [6.0]
    finally:
        ray_serve.remove(names)


def test_a_model_that_cannot_load_fails_the_deployment(cluster, client):
    with pytest.raises(SettingsError, match=r"no answer from model 'broken'.*load went wrong"):
        deployed(client, {"broken": "raises_in_load/python"})
    from ray import serve

    assert not serve.status().applications


@pytest.mark.parametrize("flags", [{"fronts": 2}, {"port": 0}, {"admin.enabled": True}])
def test_settings_of_one_process_are_refused(flags):
    settings = settings_of(8000, {"m": "score_regression/python"}, **flags)
    with pytest.raises(SettingsError, match="--engine ray does not work with"):
        ray_serve.refuse(settings)
