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
from polyhost.worker.counters import Tally


def woken(tally: Tally) -> bool:
    return bool(select.select([tally.wake_fd], [], [], 0)[0])


def close(tally: Tally) -> None:
    os.close(tally.wake_fd)
    os.close(tally._wake_end)


def test_batches_and_rows_are_told_once() -> None:
    tally = Tally()
    tally.predictor = SimpleNamespace(rows=0)
    for size in (1, 3, 1):
        tally.batch(size)
    tally.predictor.rows = 50
    assert tally.take() == {"batches": {"1": 2, "3": 1}, "rows": 50}
    tally.predictor.rows = 60
    assert tally.take() == {"batches": {}, "rows": 10}
    close(tally)


def test_the_first_batch_after_a_report_asks_for_the_next_and_no_other_does() -> None:
    tally = Tally()
    assert (tally.wait, woken(tally)) == (None, False)
    tally.batch(1)
    assert woken(tally)
    tally.on_wake()
    assert tally.wait is not None
    assert 0 < tally.wait <= module.PERIOD * 1000
    tally.batch(1)
    assert not woken(tally)
    tally.take()
    assert tally.wait is None
    tally.batch(1)
    assert woken(tally)
    close(tally)


def test_a_predictor_that_counts_no_rows_has_none() -> None:
    tally = Tally()
    tally.predictor = object()
    tally.batch(1)
    assert tally.take() == {"batches": {"1": 1}, "rows": 0}
    close(tally)


@pytest.fixture
def tally() -> Iterator[Tally]:
    made = Tally()
    module.use(made)
    yield made
    module.use(None)
    close(made)


def test_named_counters_are_reported_once_with_their_labels(tally: Tally) -> None:
    for column in ("city", "city", "day"):
        module.count("unknown_levels", column=column)
    module.count("unknown_levels", 5, column="day")
    assert woken(tally)
    report = tally.take()
    assert report == {
        "batches": {},
        "rows": 0,
        "counts": [["unknown_levels", ["city"], 2], ["unknown_levels", ["day"], 6]],
    }
    assert list(counts_from_report(report)) == [
        ("unknown_levels", ("city",), 2),
        ("unknown_levels", ("day",), 6),
    ]
    assert tally.take() == {"batches": {}, "rows": 0}


def test_a_named_counter_does_nothing_without_a_worker() -> None:
    module.count("unknown_levels", column="city")


def test_counters_and_labels_that_no_row_names_are_refused() -> None:
    with pytest.raises(ValueError, match="no counter 'levels'"):
        module.count("levels", column="city")
    with pytest.raises(ValueError, match=r"labels \['row'\]"):
        module.count("unknown_levels", row=1)


def test_series_past_the_limit_are_counted_as_others(tally: Tally) -> None:
    for number in range(MOST_SERIES + 3):
        module.count("unknown_levels", column=f"c{number}")
    counts = tally.take()["counts"]
    assert len(counts) == MOST_SERIES + 1
    assert counts[-1] == ["unknown_levels", ["other"], 3]


def test_seconds_are_reported_by_the_size_of_the_batch(tally: Tally) -> None:
    for size, seconds in ((1, 0.25), (4, 1.0), (1, 0.25)):
        tally.batch(size)
        tally.ran(size, seconds)
    assert tally.take()["seconds"] == {"1": 0.5, "4": 1.0}


def test_a_report_of_a_counter_that_the_host_does_not_know_is_ignored() -> None:
    assert (
        list(counts_from_report({"counts": [["new", ["a"], 1], ["unknown_levels", [], 1]]})) == []
    )
    for bad in ("x", [1], [["unknown_levels", ["a"], "many"]]):
        with pytest.raises(ProtocolError):
            list(counts_from_report({"counts": bad}))
