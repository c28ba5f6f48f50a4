"""Bodies as they come: the budget is right whatever happens."""

from __future__ import annotations

import errno
import os

import pytest

from polyhost.errors import BodyTooLarge, NoRoom, PolyhostError, WorkerBusy
from polyhost.host.spool import Budget, Spool
from polyhost.server.call.body_reader import Intake, discard

MIB = 1 << 20


def fill(intake: Intake, pieces: int) -> None:
    for _ in range(pieces):
        intake.add(b"x" * MIB)


def test_a_small_body_stays_in_memory_and_in_the_budget() -> None:
    budget = Budget(100)
    intake = Intake(budget, None)
    intake.add(b"a" * 40)
    intake.add(b"b" * 20)
    body = intake.body()
    assert (body, budget.used) == (b"a" * 40 + b"b" * 20, 60)
    discard(body, budget)
    assert budget.used == 0


def test_a_large_body_goes_to_a_file_and_is_counted_once() -> None:
    budget = Budget()
    intake = Intake(budget, None)
    fill(intake, 3)
    body = intake.body()
    assert isinstance(body, Spool)
    assert budget.used == body.size == 3 * MIB
    assert body.read() == b"x" * 3 * MIB
    discard(body, budget)
    assert budget.used == 0


@pytest.mark.parametrize(
    ("budget", "limit", "wrong"),
    [
        (Budget(), 5 * MIB // 2, BodyTooLarge),
        (Budget(5 * MIB // 2), None, BodyTooLarge),
        (Budget(100), 50, BodyTooLarge),
    ],
)
def test_what_is_too_large_is_dropped(
    budget: Budget, limit: int | None, wrong: type[PolyhostError]
) -> None:
    intake = Intake(budget, limit)
    with pytest.raises(wrong):
        fill(intake, 4)
    intake.drop()
    assert budget.used == 0


def test_a_full_budget_is_busy() -> None:
    budget = Budget(100)
    budget.take(60)
    intake = Intake(budget, None)
    intake.add(b"x" * 30)
    with pytest.raises(WorkerBusy) as caught:
        intake.add(b"x" * 30)
    intake.drop()
    assert (budget.used, caught.value.facts["retry_after"]) == (60, 1)


@pytest.mark.parametrize(
    ("number", "wrong"),
    [(errno.ENOSPC, NoRoom), (errno.EDQUOT, NoRoom), (errno.EMFILE, WorkerBusy)],
)
@pytest.mark.parametrize("call", ["write", "sendfile", "memfd_create"])
def test_a_disk_that_fails_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, number: int, wrong: type[PolyhostError], call: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    before = len(os.listdir("/proc/self/fd"))
    budget = Budget()
    intake = Intake(budget, None)
    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(wrong, match=os.strerror(number)):
            fill(intake, 40)
    intake.drop()
    assert budget.used == 0
    assert len(os.listdir("/proc/self/fd")) == before
