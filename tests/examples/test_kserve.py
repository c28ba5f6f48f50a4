"""The examples for KServe say what polyhost does: flags, ports and paths that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from support.fake_model import FakeHost, FakeModel

from polyhost.cli import serve
from polyhost.server.app import build
from polyhost.settings import ServerSettings

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "kserve"
SERVICES = ("inference-service.yaml", "inference-service-grpc.yaml")


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


RUNTIME = read("runtime.yaml")
CONTAINER = RUNTIME["spec"]["containers"][0]


def flags(arguments: list[str]) -> dict[str, str]:
    """What follows the command and the model; each must be a flag of ``serve``."""
    known = {name for flag in serve.FLAGS for name in flag.names}
    found = dict(argument.split("=", 1) for argument in arguments[2:])
    assert set(found) <= known
    return found


def test_the_runtime_starts_polyhost_at_the_port_that_it_names() -> None:
    assert CONTAINER["name"] == "kserve-container"  # the container that KServe puts the model into
    assert CONTAINER["command"] == ["polyhost"]
    assert CONTAINER["args"][:2] == ["serve", "{{.Name}}=/mnt/models"]
    given = flags(CONTAINER["args"])
    port = CONTAINER["ports"][0]["containerPort"]
    assert given == {"--host": "0.0.0.0", "--port": str(port)}
    assert RUNTIME["spec"]["annotations"]["prometheus.kserve.io/port"] == str(port)


def test_what_kserve_asks_for_is_there() -> None:
    app = build(cast(Any, FakeHost(FakeModel("prices"))), ServerSettings())
    paths = [CONTAINER[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")]
    paths.append(RUNTIME["spec"]["annotations"]["prometheus.kserve.io/path"])
    for path in paths:
        assert app.endpoint(path, "GET") is not None
    for path in ("/v1/models/prices:predict", "/v2/models/prices/infer"):
        assert app.endpoint(path, "POST") is not None
    assert RUNTIME["spec"]["protocolVersions"] == ["v1", "v2", "grpc-v2"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_asks_for_what_the_runtime_supports(name: str) -> None:
    model = read(name)["spec"]["predictor"]["model"]
    formats = {each["name"]: each for each in RUNTIME["spec"]["supportedModelFormats"]}
    assert formats[model["modelFormat"]["name"]]["autoSelect"]
    assert model["protocolVersion"] in RUNTIME["spec"]["protocolVersions"]


def test_the_service_over_grpc_serves_it_at_the_port_that_it_names() -> None:
    service = read("inference-service-grpc.yaml")
    model = service["spec"]["predictor"]["model"]
    assert model["args"][:2] == ["serve", f"{service['metadata']['name']}=/mnt/models"]
    given = flags(model["args"])
    assert given["--grpc-port"] == str(model["ports"][0]["containerPort"])
    assert given["--port"] == str(CONTAINER["ports"][0]["containerPort"])  # of the probes
