"""What a worker counts between two reports."""

from __future__ import annotations

import os
import select
from types import SimpleNamespace

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
