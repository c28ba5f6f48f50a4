"""How many of a model's replicas share its work: as few as batch it best.

A call costs a fixed part and a part for each request in it. Requests that come while a worker is
busy share its next call, so where the fixed part is what costs, two half-empty calls take twice
the time of a full one and answer no more. Then the work goes to few replicas, in their order, and
the others take what those cannot. Where requests are few, or calls long, every replica is used:
then it is the wait for a busy worker that costs.

Workers report the time of their calls by the number of requests in them, once a second; until
then all replicas are used.
"""

from __future__ import annotations

import math
from typing import Any, Dict, Mapping, Tuple

SHORT = 0.004
"""Seconds of a full call up to which it is worth a wait."""

LONG_CALL = 0.02
"""Seconds of a call after which no further request waits for it while another worker has room."""

LEAST = 2
"""Requests for each replica, on the average, under which all replicas are used."""

KEPT = 0.5
"""How much of earlier reports is kept with each further one."""

LARGEST = 1e12
"""No number of a report is as large."""

Cost = Tuple[float, float]
"""Seconds of a call whatever is in it, and seconds for each request of it."""


class CallCost:
    """What calls of a model cost, fitted to what its workers report."""

    def __init__(self) -> None:
        self._n = self._x = self._xx = self._y = self._xy = 0.0

    def add(self, calls: Mapping[int, int], seconds: Mapping[int, float]) -> None:
        """Take a report in: calls, and the seconds they took, by the requests in each."""
        for name in ("_n", "_x", "_xx", "_y", "_xy"):
            setattr(self, name, getattr(self, name) * KEPT)
        for size, spent in seconds.items():
            times = calls.get(size, 0)
            self._n += times
            self._x += times * size
            self._xx += times * size * size
            self._y += spent
            self._xy += spent * size

    @property
    def cost(self) -> Cost:
        """The fit; a call's whole time is its fixed part where all calls were of one size."""
        if self._n < 1:
            return 0.0, 0.0
        mean_x, mean_y = self._x / self._n, self._y / self._n
        spread = self._xx / self._n - mean_x * mean_x
        each = (self._xy / self._n - mean_x * mean_y) / spread if spread > 1e-9 else 0.0
        each = min(max(each, 0.0), mean_y / mean_x)
        return mean_y - each * mean_x, each


class Balance:
    """How many replicas to use now, from the requests that workers hold and from what calls cost."""

    def __init__(self) -> None:
        self.cost: Cost = (0.0, 0.0)
        self.width = 0
        """Replicas to use; 0 is all."""
        self._held = 0
        self._looks = 0

    def note(self, held: int) -> None:
        """A request comes while workers hold so many."""
        self._held += held
        self._looks += 1

    def settle(self, replicas: int, batch: int) -> None:
        """Choose the width for the next moment, by what was noted since the last time."""
        held, looks = self._held, self._looks
        self._held = self._looks = 0
        self.width = 0 if not looks else width_for(held / looks + 1, self.cost, replicas, batch)


def width_for(held: float, cost: Cost, replicas: int, batch: int) -> int:
    """Replicas that answer ``held`` requests at once best; 0 is all of them.

    Each is filled to where a call's fixed part is no more than the part of its requests: from
    there on a second call costs little more than a longer one.
    """
    fixed, each = cost
    if fixed <= 0.0 or held < LEAST * replicas:
        return 0
    fill = batch if each <= 0.0 else min(batch, math.ceil(fixed / each))
    if fixed + each * fill > SHORT:
        return 0
    # Half of what is held runs, the other half waits for the next call.
    return min(replicas, max(1, math.ceil(held / (2 * max(1, fill)))))


def report_parts(report: Mapping[str, Any]) -> Tuple[Dict[int, int], Dict[int, float]]:
    """Calls, and their seconds, by size, of a METRIC frame; ValueError or TypeError otherwise."""
    calls, seconds = report.get("batches") or {}, report.get("seconds") or {}
    if not isinstance(calls, dict) or not isinstance(seconds, dict):
        raise TypeError("batches and seconds of a METRIC frame are objects")
    found = {int(size): int(times) for size, times in calls.items()}
    spent = {int(size): float(value) for size, value in seconds.items()}
    numbers = (*found, *found.values(), *spent, *spent.values())
    if not all(0 <= number < LARGEST for number in numbers):
        raise ValueError("a number of a METRIC frame is negative or too large")
    return found, spent
