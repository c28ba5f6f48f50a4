"""The live view, from two texts of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from prometheus_client.core import GaugeMetricFamily

from polyhost.cli import top
from polyhost.data.target import Target, TargetType
from polyhost.host.model_slot import ModelSlot
from polyhost.host.pool import State
from polyhost.predictor import ModelSpec
from polyhost.server.watch import collector
from polyhost.server.watch.metrics import Metrics
from polyhost.settings import ModelConfig

SPEC = ModelSpec(Path("/m"), "python", Target(TargetType.REGRESSION))


def text(*, ok: int, failed: int, times: Sequence[float], batches: tuple[int, int]) -> str:
    """What a server with one model would answer."""
    metrics = Metrics()
    meter = metrics.of(ModelConfig("iris", SPEC))
    route = meter.route("drum")
    route.codes = {200: ok, 500: failed}
    for time in times:
        route.seconds.observe(time)
    meter.batches.counts[0], meter.batches.total = batches
    model = SimpleNamespace(
        name="iris",
        config=ModelConfig("iris", SPEC, workers=2),
        busy=3,
        queued=12,
        any_ready=True,
        state=State.DEGRADED,
        ready_workers=1,
        restarts=4,
    )
    families = [
        *collector.counts(metrics),
        *collector.state([cast(ModelSlot, model)], {}),
        *collector.memory({"iris": 45_000_000}, 61_000_000, 0, 1),
    ]
    return collector.encoded(families, "")[0].decode()


def test_a_view_is_of_what_happened_between_two_looks() -> None:
    before = top.parse(text(ok=100, failed=0, times=[9.0] * 50, batches=(10, 10)))
    later = [9.0] * 50 + [0.0008] * 98 + [0.02] * 2
    now = top.parse(text(ok=300, failed=10, times=later, batches=(20, 45)))
    title, _, headings, row = top.view(now, before, 2.0, "http://host/metrics")
    assert title == "http://host/metrics  105.0 requests/s  host 61 MB  bodies held 0.0 MB"
    names = headings.replace(" ms", "").replace(" MB", "").split()
    assert dict(zip(names, row.split(), strict=True)) == {
        "MODEL": "iris",
        "STATE": "degraded",
        "WORKERS": "1/2",
        "REQ/S": "105.0",
        "ERR/S": "5.0",
        "P50": "0.76",
        "P99": "17.50",
        "RUNNING": "3",
        "QUEUE": "12",
        "BATCH": "3.5",
        "RESTARTS": "4",
        "PSS": "45",
    }


def test_nothing_happened() -> None:
    look = top.parse(text(ok=5, failed=0, times=[0.1], batches=(1, 1)))
    assert top.view(look, look, 1.0, "u")[-1].split()[3:7] == ["0.0", "0.0", "-", "-"]


def test_a_time_past_all_bounds_is_at_least_the_last_one() -> None:
    before = top.parse(text(ok=0, failed=0, times=[], batches=(0, 0)))
    now = top.parse(text(ok=1, failed=0, times=[1000.0], batches=(0, 0)))
    assert top.Change(now, before, 1.0).quantile(0.5, "polyhost_request_seconds") == 60.0


def test_labels_come_back_as_they_were() -> None:
    family = GaugeMetricFamily("a", "x", labels=["model"])
    name = 'q"uo\\te\n}{ 1'
    family.add_metric([name], 1.5)
    assert top.parse(collector.encoded([family], "")[0].decode()) == {"a": [({"model": name}, 1.5)]}


def test_a_page_that_is_not_metrics_is_an_error() -> None:
    with pytest.raises(top.Unreachable, match="is not metrics"):
        top.parse("<!doctype html>\n<title>404</title>\n")


def test_no_server_is_an_error_that_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    from polyhost.cli.main import main

    assert main(["top", "--once", "--url", "http://127.0.0.1:1"]) == 1
    assert "no metrics at http://127.0.0.1:1/metrics" in capsys.readouterr().err
