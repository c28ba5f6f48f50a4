"""Which replicas get the work: few of them where calls share well, all of them otherwise."""

from __future__ import annotations

import math

import pytest

from polyhost.host.balance import Balance, CallCost, report_parts, width_for

CHEAP = (0.0002, 0.00001)
"""A small model: 0.2 ms a call, and 10 µs for each request in it."""


def test_the_cost_of_calls_is_found_from_their_times() -> None:
    cost = CallCost()
    assert cost.cost == (0.0, 0.0)
    for calls in ({1: 10, 8: 30}, {2: 5, 16: 100}):
        cost.add(calls, {size: n * (0.0002 + 0.00001 * size) for size, n in calls.items()})
    fixed, each = cost.cost
    assert math.isclose(fixed, 0.0002, rel_tol=1e-6)
    assert math.isclose(each, 0.00001, rel_tol=1e-6)


def test_calls_of_one_size_cost_their_whole_time() -> None:
    cost = CallCost()
    cost.add({4: 10}, {4: 0.02})
    assert cost.cost == (0.002, 0.0)


def test_a_cost_is_never_negative() -> None:
    cost = CallCost()
    cost.add({1: 10, 8: 10}, {1: 0.02, 8: 0.01})  # larger calls were quicker, by chance
    fixed, each = cost.cost
    assert fixed > 0
    assert each == 0.0


def test_old_reports_are_forgotten() -> None:
    cost = CallCost()
    cost.add({1: 100, 2: 100}, {1: 100.0, 2: 200.0})
    for _ in range(40):
        cost.add({1: 100, 2: 100}, {1: 0.1, 2: 0.2})
    assert sum(cost.cost) < 0.002


@pytest.mark.parametrize(
    ("held", "cost", "replicas", "width"),
    [
        (16, CHEAP, 2, 1),  # two calls of 8 would take twice the time of one of 16
        (16, CHEAP, 8, 1),
        (100, CHEAP, 8, 3),
        (1000, CHEAP, 8, 8),
        (3, CHEAP, 2, 0),  # few requests: a wait is what costs
        (16, (0.0, 0.0), 2, 0),  # nothing is known yet
        (16, (0.05, 0.0001), 2, 0),  # a long call is waited for by nobody who need not
        (16, (0.00001, 0.001), 2, 2),  # sharing saves nothing
        (64, (0.0002, 0.0), 4, 1),  # sharing is free
    ],
)
def test_width(held: float, cost: tuple[float, float], replicas: int, width: int) -> None:
    assert width_for(held, cost, replicas, 64) == width


def test_an_idle_model_uses_all_replicas_again() -> None:
    balance = Balance()
    balance.cost = CHEAP
    for _ in range(100):
        balance.note(16)
    balance.settle(2, 64)
    assert balance.width == 1
    balance.settle(2, 64)
    assert balance.width == 0


def test_a_report_is_read_strictly() -> None:
    report = {"batches": {"1": 40, "8": 3}, "seconds": {"1": 0.5, "8": 0.25}, "rows": 64}
    assert report_parts(report) == ({1: 40, 8: 3}, {1: 0.5, 8: 0.25})
    assert report_parts({"rows": 1}) == ({}, {})
    for bad in (
        {"seconds": {"1": float("nan")}},
        {"seconds": {"1": -1.0}},
        {"batches": {"-1": 1}},
        {"seconds": {"one": 1.0}},
        {"batches": [1]},
        {"seconds": {"1": None}},
    ):
        with pytest.raises((ValueError, TypeError)):
            report_parts(bad)
