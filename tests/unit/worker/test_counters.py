"""What a worker counts between two reports."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from polyhost.wire.frames import ProtocolError
from polyhost.wire.worker_counters import MOST_SERIES, counts_from_report
from polyhost.worker import counters as module
from polyhost.worker.counters import Counters


def woken(counters: Counters) -> bool:
    return bool(select.select([counters.wake_fd], [], [], 0)[0])


def close(counters: Counters) -> None:
    os.close(counters.wake_fd)
    os.close(counters._wake_end)


def test_batches_and_rows_are_told_once() -> None:
    counters = Counters()
    counters.predictor = SimpleNamespace(rows=0)
    for size in (1, 3, 1):
        counters.batch(size)
    counters.predictor.rows = 50
    assert counters.take() == {"batches": {"1": 2, "3": 1}, "rows": 50}
    counters.predictor.rows = 60
    assert counters.take() == {"batches": {}, "rows": 10}
    close(counters)


def test_the_first_batch_after_a_report_asks_for_the_next_and_no_other_does() -> None:
    counters = Counters()
    assert (counters.wait, woken(counters)) == (None, False)
    counters.batch(1)
    assert woken(counters)
    counters.on_wake()
    assert counters.wait is not None
    assert 0 < counters.wait <= module.PERIOD * 1000
    counters.batch(1)
    assert not woken(counters)
    counters.take()
    assert counters.wait is None
    counters.batch(1)
    assert woken(counters)
    close(counters)


def test_a_predictor_that_counts_no_rows_has_none() -> None:
    counters = Counters()
    counters.predictor = object()
    counters.batch(1)
    assert counters.take() == {"batches": {"1": 1}, "rows": 0}
    close(counters)


@pytest.fixture
def counters() -> Iterator[Counters]:
    made = Counters()
    module.use(made)
    yield made
    module.use(None)
    close(made)


def test_named_counters_are_reported_once_with_their_labels(counters: Counters) -> None:
    for column in ("city", "city", "day"):
        module.count("unknown_levels", column=column)
    module.count("unknown_levels", 5, column="day")
    assert woken(counters)
    report = counters.take()
    assert report == {
        "batches": {},
        "rows": 0,
        "counts": [["unknown_levels", ["city"], 2], ["unknown_levels", ["day"], 6]],
    }
    assert list(counts_from_report(report)) == [
        ("unknown_levels", ("city",), 2),
        ("unknown_levels", ("day",), 6),
    ]
    assert counters.take() == {"batches": {}, "rows": 0}


def test_a_named_counter_does_nothing_without_a_worker() -> None:
    module.count("unknown_levels", column="city")


def test_counters_and_labels_that_no_row_names_are_refused() -> None:
    with pytest.raises(ValueError, match="no counter 'levels'"):
        module.count("levels", column="city")
    with pytest.raises(ValueError, match=r"labels \['row'\]"):
        module.count("unknown_levels", row=1)


def test_series_past_the_limit_are_counted_as_others(counters: Counters) -> None:
    for number in range(MOST_SERIES + 3):
        module.count("unknown_levels", column=f"c{number}")
    counts = counters.take()["counts"]
    assert len(counts) == MOST_SERIES + 1
    assert counts[-1] == ["unknown_levels", ["other"], 3]


def test_seconds_are_reported_by_the_size_of_the_batch(counters: Counters) -> None:
    for size, seconds in ((1, 0.25), (4, 1.0), (1, 0.25)):
        counters.batch(size)
        counters.ran(size, seconds)
    assert counters.take()["seconds"] == {"1": 0.5, "4": 1.0}


def test_a_report_of_a_counter_that_the_host_does_not_know_is_ignored() -> None:
    assert (
        list(counts_from_report({"counts": [["new", ["a"], 1], ["unknown_levels", [], 1]]})) == []
    )
    for bad in ("x", [1], [["unknown_levels", ["a"], "many"]]):
        with pytest.raises(ProtocolError):
            list(counts_from_report({"counts": bad}))
