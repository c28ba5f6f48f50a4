"""What is counted of a request, and what is said of it."""

from __future__ import annotations

import logging

import pytest
from support.fake_model import FakeModel, carry

from polyhost.server.watch import collector
from polyhost.server.watch.instrument import Instruments
from polyhost.server.watch.metrics import Metrics

MODEL = FakeModel().config


def counts(watch: Instruments) -> dict[str, float]:
    """Counters of the model that are not 0, by name and code."""
    return {
        sample.name + sample.labels.get("code", ""): sample.value
        for family in collector.counts(watch.metrics)
        for sample in family.samples
        if family.type == "counter" and sample.value
    }


def test_answers_are_counted_by_status() -> None:
    watch = Instruments()
    for word in ("answer", "answer", "invalid input"):
        carry(watch, word)
    assert counts(watch) == {
        "model_infer_request_success_total": 2,
        "model_infer_request_failure_total": 1,
        "polyhost_requests_total200": 2,
        "polyhost_requests_total422": 1,
    }


def test_a_client_that_left_counts_as_499() -> None:
    watch = Instruments()
    carry(watch, "silence", leaves=True)
    assert counts(watch) == {
        "model_infer_request_failure_total": 1,
        "polyhost_requests_total499": 1,
    }


def test_a_route_without_a_protocol_is_not_counted() -> None:
    watch = Instruments()
    carry(watch, "answer", protocol="")
    assert counts(watch) == {}


def test_the_call_is_the_exchange_of_its_request() -> None:
    call = carry(Instruments(), "invalid input")
    assert (call.id, call.model, call.status) == ("id-1", "m", 422)


def test_the_access_log_names_the_route_and_holds_no_payload(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "polyhost.access"):
        carry(Instruments(access=True), "not ready", body=b"not ready\nsecret")
        carry(Instruments(access=False), "answer")
    (record,) = [found for found in caplog.records if found.name == "polyhost.access"]
    assert record.getMessage().startswith("POST /predict/ 503 ")
    assert record.__dict__["status"] == 503
    assert "secret" not in str(record.__dict__)


def test_a_version_that_comes_back_finds_its_counts() -> None:
    metrics = Metrics()
    metrics.of(MODEL).rows = 3
    assert metrics.of(MODEL).rows == 3
