"""Limits that several processes keep together."""

from __future__ import annotations

import os
from typing import Any, cast

import pytest

from polyhost.errors import WorkerBusy
from polyhost.host.request import Pending
from polyhost.host.request_queue import RequestQueue
from polyhost.host.shared_counts import BODIES, SharedCounts
from polyhost.host.spool import Budget


def test_a_process_sees_what_others_count() -> None:
    counts = SharedCounts(writers=3, cells=4)
    own = counts.count(2, 0)
    own.put(7)
    pid = os.fork()
    if pid == 0:
        try:
            other = counts.count(2, 1)
            other.put(5)
            os._exit(int(other.others))
        finally:
            os._exit(100)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert own.others == 5
    assert counts.count(3, 0).others == 0
    counts.clear(1)
    assert own.others == 0


def test_cells_are_given_out_once_and_the_longest_free_first() -> None:
    counts = SharedCounts(writers=1, cells=4)
    assert [counts.take(), counts.take()] == [2, 3]
    with pytest.raises(IndexError):
        counts.take()
    counts.give_back(3)
    counts.give_back(2)
    assert counts.take() == 3


def test_the_body_budget_is_for_all_processes() -> None:
    counts = SharedCounts(writers=2)
    one, two = (Budget(100, counts.count(BODIES, writer)) for writer in range(2))
    one.take(60)
    with pytest.raises(WorkerBusy, match="holds 60 bytes of unanswered bodies and may hold 100"):
        two.take(41)
    two.take(40)
    assert (one.used, two.used, one.total) == (60, 40, 100)
    one.give_back(60)
    two.take(60)


def test_the_queue_limit_is_for_all_processes() -> None:
    counts = SharedCounts(writers=2)
    cell = counts.take()
    one, two = (RequestQueue("m", 3, counts.count(cell, writer)) for writer in range(2))
    requests = [Pending(id, b"", b"", True, cast(Any, None)) for id in range(6)]
    one.add(requests[0])
    one.add(requests[1])
    two.add(requests[2])
    for queue in (one, two):
        with pytest.raises(WorkerBusy, match="the queue of model 'm' is full: 3 requests wait"):
            queue.add(requests[3])
    assert (len(one), len(two), one.total) == (2, 1, 3)
    two.put_back(requests[4:])  # what was accepted before is not refused
    assert two.pop() is requests[4]
    two.publish()
    assert one.total == 4
    assert one.remove(requests[0])
    assert not one.remove(requests[0])
    assert two.total == 3


def test_a_queue_of_one_process_has_its_limit_alone() -> None:
    queue = RequestQueue("m", 1)
    queue.check()
    queue.add(Pending(1, b"", b"", True, cast(Any, None)))
    with pytest.raises(WorkerBusy):
        queue.check()
    with pytest.raises(WorkerBusy):
        queue.add(Pending(2, b"", b"", True, cast(Any, None)))
