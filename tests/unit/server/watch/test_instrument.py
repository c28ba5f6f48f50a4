"""What is counted of a request, and what is said of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polyhost.data.target import Target, TargetType
from polyhost.host.observers import current
from polyhost.predictor import ModelSpec
from polyhost.server.http.endpoint import Endpoint
from polyhost.server.watch.instrument import Observation
from polyhost.server.watch.metrics import SECONDS, VERSIONS_KEPT, Metrics
from polyhost.settings import HostedModel

MODEL = HostedModel("m", ModelSpec(Path("/m"), "python", Target(TargetType.REGRESSION)))
Handler = Callable[..., Awaitable[None]]


def answering(status: int) -> Handler:
    async def handle(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"secret answer"})

    return handle


async def failing(scope: Any, receive: Any, send: Any) -> None:
    raise ZeroDivisionError


async def leaving(scope: Any, receive: Any, send: Any) -> None:
    return


def endpoint(handler: Handler, protocol: str = "drum") -> Endpoint:
    return Endpoint("POST", "/predict/", handler, "Predict", protocol=protocol)


def ask(watch: Observation, handler: Handler, id: bytes = b"id-1") -> list[dict[str, Any]]:
    """Send one request through the endpoint; the messages that it sent."""
    (watched,) = watch.watched([endpoint(handler)], MODEL)
    sent: list[dict[str, Any]] = []
    headers = [(b"x-request-id", id)]
    scope = {"type": "http", "method": "POST", "path": "/predict/", "headers": headers}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def receive() -> Any:
        return {"type": "http.request", "body": b"secret question"}

    asyncio.run(watched.handler(scope, receive, send))
    return sent


def counts(watch: Observation) -> dict[str, float]:
    """Counters of the model that are not 0, by name and code."""
    return {
        family.name + dict(labels).get("code", ""): value
        for family in watch.metrics.families()
        for (_, labels), value in family.samples.items()
        if family.kind == "counter" and value
    }


def test_answers_are_counted_by_status_and_pass_unchanged() -> None:
    watch = Observation()
    for status in (200, 200, 422):
        first, second = ask(watch, answering(status))
        assert (first["status"], second["body"]) == (status, b"secret answer")
    assert counts(watch) == {
        "model_infer_request_success": 2,
        "model_infer_request_failure": 1,
        "polyhost_requests200": 2,
        "polyhost_requests422": 1,
    }


def test_a_handler_that_breaks_counts_as_500() -> None:
    watch = Observation()
    with pytest.raises(ZeroDivisionError):
        ask(watch, failing)
    assert counts(watch) == {"model_infer_request_failure": 1, "polyhost_requests500": 1}


def test_a_client_that_left_counts_as_499() -> None:
    watch = Observation()
    ask(watch, leaving)
    assert counts(watch) == {"model_infer_request_failure": 1, "polyhost_requests499": 1}


def test_endpoints_without_a_protocol_are_left_alone() -> None:
    probe = endpoint(leaving, protocol="")
    assert Observation().watched([probe], MODEL) == [probe]


def test_the_exchange_is_known_while_the_handler_runs() -> None:
    seen = []

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        seen.append(current.get())
        await answering(200)(scope, receive, send)

    ask(Observation(), handle)
    (exchange,) = seen
    assert exchange is not None
    assert (exchange.id, exchange.model, exchange.status) == ("id-1", "m", 200)


def test_the_access_log_names_the_route_and_holds_no_payload(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "polyhost.access"):
        ask(Observation(access=True), answering(503))
        ask(Observation(access=False), answering(200))
    (record,) = caplog.records
    assert record.getMessage().startswith("POST /predict/ 503 ")
    assert record.__dict__["status"] == 503
    assert "secret" not in str(record.__dict__)


def test_pools_and_workers_tell_their_part() -> None:
    metrics = Metrics()
    meter = metrics.of(MODEL)
    meter.served(None, 0.0, 0.002)
    meter.served(None, 0.0, 100.0)
    meter.counted({"batches": {"1": 5, "7": 2}, "rows": 40})
    found = {family.name: family.samples for family in metrics.families()}
    model = (("model", "m"),)
    assert found["polyhost_rows"] == {("", model): 40}
    assert found["polyhost_batch_size"]["_count", model] == 7
    assert found["polyhost_batch_size"]["_sum", model] == 19
    assert found["polyhost_batch_size"]["_bucket", (*model, ("le", "8.0"))] == 7
    predict = {
        dict(labels)["le"]: value
        for (suffix, labels), value in found["request_predict_seconds"].items()
        if suffix == "_bucket"
    }
    assert predict == {
        **{str(bound): int(bound >= 0.0025) for bound in SECONDS},
        "+Inf": 2,
    }


def test_a_version_that_comes_back_finds_its_counts() -> None:
    metrics = Metrics()
    metrics.of(MODEL).rows = 3
    assert metrics.of(MODEL).rows == 3


def test_many_versions_are_told_apart_up_to_a_bound_and_no_count_is_lost() -> None:
    metrics = Metrics()
    for number in range(VERSIONS_KEPT + 3):
        meter = metrics.of(replace(MODEL, version=str(number)))
        meter.route("drum").add(200, 0.1)
        meter.counted({"batches": {"2": 1}, "rows": 5})
        meter.served(None, 0.0, 0.1)
    found = {family.name: family.samples for family in metrics.families()}
    every = VERSIONS_KEPT + 3
    versions = {dict(labels)["version"] for _, labels in found["model_infer_request_success"]}
    assert versions == {str(number) for number in range(3, every)}
    model = (("model", "m"),)
    assert found["polyhost_requests"] == {
        ("", (*model, ("protocol", "drum"), ("code", "200"))): every
    }
    assert found["polyhost_request_seconds"]["_count", (*model, ("protocol", "drum"))] == every
    assert found["polyhost_rows"]["", model] == 5 * every
    assert found["polyhost_batch_size"]["_sum", model] == 2 * every
    assert found["request_predict_seconds"]["_count", (("model_name", "m"),)] == every
