"""What a scrape shows, read back by the parsers of prometheus_client."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from polyhost import __version__
from polyhost.data.target import Target, TargetType
from polyhost.predictor import ModelSpec
from polyhost.server.watch import collector
from polyhost.server.watch.metrics import VERSIONS_KEPT, Metrics
from polyhost.settings import ModelConfig

MODEL = ModelConfig(
    'odd "name"\\\n', ModelSpec(Path("/m"), "python", Target(TargetType.REGRESSION))
)
PLAIN = "text/plain;version=0.0.4"
OPEN = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def counted() -> Metrics:
    metrics = Metrics()
    meter = metrics.of(MODEL)
    for code in (200, 200, 422):
        meter.route("drum").add(code, 0.002)
    meter.served(None, 0.0, 100.0)
    meter.counted(
        {"batches": {"1": 5, "7": 2}, "rows": 40, "counts": [["unknown_levels", ["city"], 3]]}
    )
    return metrics


@pytest.mark.parametrize("accept", [PLAIN, OPEN, "", "text/html, */*"])
def test_both_formats_are_read_back_by_their_own_parser(accept: str) -> None:
    metrics = counted()
    families = [*collector.counts(metrics), *collector.memory({}, 61, 5, 9), collector.build_info()]
    text, kind = collector.encoded(families, accept)
    is_open = accept == OPEN
    assert kind.startswith("application/openmetrics-text" if is_open else "text/plain; version=0.")
    parse = openmetrics_families if is_open else text_string_to_metric_families
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse(text.decode())
        for sample in family.samples
    }
    model = ("model", MODEL.name)
    drum = ("protocol", "drum")
    assert found["polyhost_requests_total", ("code", "200"), model, drum] == 2
    assert found["polyhost_requests_total", ("code", "422"), model, drum] == 1
    assert found["model_infer_request_success_total", model, ("version", "1")] == 2
    assert found["model_infer_request_failure_total", model, ("version", "1")] == 1
    assert found["polyhost_request_seconds_bucket", ("le", "0.001"), model, drum] == 0
    assert found["polyhost_request_seconds_bucket", ("le", "0.0025"), model, drum] == 3
    assert found["polyhost_request_seconds_count", model, drum] == 3
    assert found["request_predict_seconds_bucket", ("le", "60.0"), ("model_name", MODEL.name)] == 0
    assert found["request_predict_seconds_bucket", ("le", "+Inf"), ("model_name", MODEL.name)] == 1
    assert found["request_predict_seconds_sum", ("model_name", MODEL.name)] == 100
    assert found["polyhost_rows_total", model] == 40
    assert found["polyhost_batch_size_sum", model] == 19
    assert found["polyhost_batch_size_bucket", ("le", "4.0"), model] == 5
    assert found["polyhost_unknown_levels_total", ("column", "city"), model] == 3
    assert found[("polyhost_host_pss_bytes",)] == 61
    assert found["polyhost_build_info", ("version", __version__)] == 1


def test_versions_are_told_apart_up_to_a_bound_and_no_count_is_lost() -> None:
    metrics = Metrics()
    every = VERSIONS_KEPT + 3
    for number in range(every):
        meter = metrics.of(replace(MODEL, name="m", version=str(number)))
        meter.route("drum").add(200, 0.1)
        meter.counted({"batches": {"2": 1}, "rows": 5, "counts": [["unknown_levels", ["c"], 1]]})
        meter.served(None, 0.0, 0.1)
    found = {
        sample.name: [s.value for s in family.samples if s.name == sample.name]
        for family in collector.counts(metrics)
        for sample in family.samples
    }
    versions = {
        sample.labels["version"]
        for family in collector.counts(metrics)
        for sample in family.samples
        if sample.name == "model_infer_request_success_total"
    }
    assert versions == {str(number) for number in range(3, every)}
    assert found["polyhost_requests_total"] == [every]
    assert found["polyhost_request_seconds_count"] == [every]
    assert found["polyhost_rows_total"] == [5 * every]
    assert found["polyhost_batch_size_sum"] == [2 * every]
    assert found["request_predict_seconds_count"] == [every]
    assert found["polyhost_unknown_levels_total"] == [every]


def test_what_a_front_counts_is_moved_not_copied() -> None:
    """Its counters start from 0 after each report, so that none of them is added twice."""
    front, supervisor = Metrics(), Metrics()
    meters = [front.of(replace(MODEL, version=str(n))) for n in range(VERSIONS_KEPT + 2)]
    for _ in range(2):
        for meter in meters[-2:]:
            meter.route("drum").add(200, 0.1)
            meter.served(None, 0.0, 0.1)
        supervisor.add_wire(front.take_wire())
    assert front.take_wire() == []
    (total,) = supervisor.by_model()
    assert total.routes["drum"].codes == {200: 4}
    assert sum(total.routes["drum"].seconds.counts) == 4
    assert sum(total.predict.counts) == 4
    assert total.predict.total == pytest.approx(0.4)
