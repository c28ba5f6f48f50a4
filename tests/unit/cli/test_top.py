"""The live view, from two texts of metrics."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from polyhost.cli import top
from polyhost.server.watch.exposition import Family, render
from polyhost.server.watch.metrics import SECONDS, Histogram


def text(*, ok: int, failed: int, times: Sequence[float], batches: tuple[int, int]) -> str:
    """What a server with one model would tell."""
    requests = Family("polyhost_requests", "counter", "x")
    requests.add(ok, model="iris", protocol="drum", code="200")
    requests.add(failed, model="iris", protocol="drum", code="500")
    histogram = Histogram(SECONDS)
    for time in times:
        histogram.observe(time)
    seconds = Family("polyhost_request_seconds", "histogram", "x")
    seconds.add_histogram(SECONDS, histogram.counts, histogram.total, model="iris", protocol="drum")
    batch = Family("polyhost_batch_size", "histogram", "x")
    batch.add_histogram((1, 8), [batches[0], 0, 0], batches[1], model="iris")
    gauges = {
        "polyhost_in_progress": 3,
        "polyhost_queue_depth": 12,
        "polyhost_workers_ready": 1,
        "polyhost_workers_wanted": 2,
        "polyhost_worker_pss_bytes": 45e6,
    }
    families = [requests, seconds, batch]
    for name, value in gauges.items():
        gauge = Family(name, "gauge", "x")
        gauge.add(value, model="iris")
        families.append(gauge)
    restarts = Family("polyhost_worker_restarts", "counter", "x")
    restarts.add(4, model="iris")
    state = Family("polyhost_model_state", "gauge", "x")
    state.add(0, model="iris", version="1", state="ready")
    state.add(1, model="iris", version="1", state="degraded")
    own = Family("polyhost_host_pss_bytes", "gauge", "x")
    own.add(61e6)
    return render([*families, restarts, state, own]).decode()


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
    family = Family("a", "gauge", "x")
    name = 'q"uo\\te\n}{ 1'
    family.add(1.5, model=name)
    assert top.parse(render([family]).decode()) == {"a": [({"model": name}, 1.5)]}


def test_no_server_is_an_error_that_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    from polyhost.cli.main import main

    assert main(["top", "--once", "--url", "http://127.0.0.1:1"]) == 1
    assert "no metrics at http://127.0.0.1:1/metrics" in capsys.readouterr().err
