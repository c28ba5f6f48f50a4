"""What is counted of a request, and what is said of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from polyhost.data.target import Target, TargetType
from polyhost.host.observers import current
from polyhost.predictor import ModelSpec
from polyhost.server.http.endpoint import Endpoint
from polyhost.server.watch import collector
from polyhost.server.watch.instrument import Observation
from polyhost.server.watch.metrics import Metrics
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
        sample.name + sample.labels.get("code", ""): sample.value
        for family in collector.counts(watch.metrics)
        for sample in family.samples
        if family.type == "counter" and sample.value
    }


def test_answers_are_counted_by_status_and_pass_unchanged() -> None:
    watch = Observation()
    for status in (200, 200, 422):
        first, second = ask(watch, answering(status))
        assert (first["status"], second["body"]) == (status, b"secret answer")
    assert counts(watch) == {
        "model_infer_request_success_total": 2,
        "model_infer_request_failure_total": 1,
        "polyhost_requests_total200": 2,
        "polyhost_requests_total422": 1,
    }


def test_a_handler_that_breaks_counts_as_500() -> None:
    watch = Observation()
    with pytest.raises(ZeroDivisionError):
        ask(watch, failing)
    assert counts(watch) == {
        "model_infer_request_failure_total": 1,
        "polyhost_requests_total500": 1,
    }


def test_a_client_that_left_counts_as_499() -> None:
    watch = Observation()
    ask(watch, leaving)
    assert counts(watch) == {
        "model_infer_request_failure_total": 1,
        "polyhost_requests_total499": 1,
    }


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


def test_a_version_that_comes_back_finds_its_counts() -> None:
    metrics = Metrics()
    metrics.of(MODEL).rows = 3
    assert metrics.of(MODEL).rows == 3
