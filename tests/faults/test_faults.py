"""Faults of guest code and real kills, in each language: who is told what, and what goes on."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import threading
import time
from functools import partial

import httpx
import psutil
import pytest
from faults.town import Left, Town, json_rows

logger = logging.getLogger(__name__)

SAYS = {"exit": "status 3", "segfault": "killed by SIG", "garbage": "no frame"}
"""What is told of each way to die."""


def test_requests_in_a_killed_worker_and_behind_it_are_answered(calm: Town) -> None:
    (first,) = calm.pids()
    asks = [lambda i=i: calm.ask("sleep", first=i) for i in range(3)]
    killer = threading.Timer(0.3, os.kill, (first, signal.SIGKILL))
    killer.start()
    replies = calm.together(*asks)
    killer.join()
    assert [(r.status_code, r.json()) for r in replies] == [
        (200, {"predictions": [i + 1.0]}) for i in range(3)
    ]
    assert calm.pids() != [first]


@pytest.mark.parametrize("order", SAYS)
def test_a_request_that_kills_is_told_why_and_the_model_goes_on(calm: Town, order: str) -> None:
    """It kills twice: it may be innocent the first time. Then it is known, and costs nothing."""
    before = int(str(calm.describe("obeys")["restarts"]))
    failed = calm.ask(order)
    assert failed.status_code == 500
    assert SAYS[order] in failed.json()["message"]
    assert calm.answers()
    assert calm.describe("obeys")["restarts"] == before + 2
    (pid,) = calm.pids()
    again = calm.ask(order)
    assert again.status_code == 500
    assert "twice" in again.json()["message"]
    assert calm.pids() == [pid]


def test_a_worker_that_grows_past_its_limit_is_replaced(calm: Town) -> None:
    failed = calm.ask("grow", model="shares")
    assert failed.status_code == 500
    assert "its limit is 1073741824" in failed.json()["message"]
    assert calm.answers("shares")


def test_an_endless_loop_is_stopped_at_the_deadline(calm: Town) -> None:
    failed = calm.ask("hang")
    assert failed.status_code == 504
    assert "deadline of 4 s" in failed.json()["message"]
    assert calm.answers()


def test_what_hooks_leave_running_ends_with_their_worker_and_it_is_replaced(calm: Town) -> None:
    (worker,) = calm.pids()
    before = set(calm.family())
    for order in ("fork", "daemon"):
        there = set(calm.family())
        assert calm.ask(order).json() == {"predictions": [2.0]}
        assert calm.answers()
        assert set(calm.family()) - there
    assert calm.ask("split").json() == {"predictions": [2.0]}  # both return: answered once
    assert all(calm.answers() for _ in range(20))
    assert calm.pids() == [worker]
    started = set(calm.family()) - before
    os.kill(worker, signal.SIGKILL)  # while it is idle
    assert calm.answers()
    assert calm.pids() != [worker]
    _, alive = psutil.wait_procs(started, timeout=10)
    assert not alive
    calm.until(lambda: len(calm.family()) == len(before), 10)


def test_a_flood_of_output_harms_nobody(calm: Town) -> None:
    (worker,) = calm.pids()
    assert calm.ask("flood").json() == {"predictions": [2.0]}
    assert calm.answers()
    assert calm.pids() == [worker]
    calm.until(lambda: calm.served.out.count("[obeys] " + "x" * 1000 + "\n") >= 20_000)


def test_a_model_that_never_loads_is_given_up_and_says_so(calm: Town) -> None:
    found = calm.describe("never")
    assert (found["state"], found["ready"], found["pids"]) == ("failed", 0, [])
    assert "not ready after 2 s" in str(found["reason"])
    for reply in (calm.served.client.get("/models/never/health/"), calm.ask("none", model="never")):
        assert reply.status_code == 503
        assert "not ready after 2 s" in reply.json()["message"]
    assert calm.describe("obeys")["state"] == "ready"
    assert calm.served.client.get("/models/obeys/health/").status_code == 200


def test_a_killer_in_a_batch_is_found_and_its_neighbours_are_answered(calm: Town) -> None:
    def ask(order: str, first: int) -> httpx.Response:
        body = json_rows(order, first=first)
        return calm.served.post("/models/shares/predict/", body, "application/json")

    orders = [(("exit" if i == 7 else "sleep" if i == 0 else "none"), i) for i in range(16)]
    replies = calm.together(*(lambda o=o: ask(*o) for o in orders))
    failed = replies.pop(7)
    assert failed.status_code == 500
    assert "status 3" in failed.json()["message"]
    assert [(r.status_code, r.json()) for r in replies] == [
        (200, {"predictions": [i + 1.0]}) for i in range(16) if i != 7
    ]
    calm.until(lambda: calm.describe("shares")["state"] == "ready")
    pids = calm.pids("shares")
    assert ask("exit", 7).status_code == 500
    assert calm.pids("shares") == pids


def test_requests_share_calls_of_hooks_only_when_told_so(calm: Town) -> None:
    def rows_of_a_call(model: str) -> list[float]:
        """How many rows the model saw with each of many requests of one row."""
        body = json_rows("rows")
        ask = partial(calm.served.post, f"/models/{model}/predict/", body, "application/json")
        sleep = partial(calm.ask, "sleep", model=model)
        first, *replies = calm.together(sleep, *[ask] * 12)
        assert {reply.status_code for reply in (first, *replies)} == {200}
        return [reply.json()["predictions"][0] for reply in replies]

    assert set(rows_of_a_call("obeys")) == {1.0}
    assert max(rows_of_a_call("shares")) > 1.0


@pytest.mark.parametrize("model", ["obeys", "shares"])
def test_a_kill_at_fifty_requests_a_second_loses_none(calm: Town, model: str) -> None:
    """``obeys`` waits for its next worker to start; ``shares`` has a spare.

    How long nobody was answered is told with ``--log-cli-level=info``.
    """
    calm.until(lambda: calm.describe(model)["state"] == "ready")
    victim = calm.pids(model)[0]
    answered: list[float] = []
    wrong: list[str] = []

    def ask(number: int, at: float) -> None:
        time.sleep(max(0.0, at - time.monotonic()))
        reply = calm.ask("none", model=model, first=number)
        answered.append(time.monotonic())
        if reply.status_code != 200 or reply.json() != {"predictions": [number + 1.0]}:
            wrong.append(f"{reply.status_code} {reply.text}")

    start = time.monotonic() + 0.2
    threads = [threading.Thread(target=ask, args=(i, start + i / 50)) for i in range(100)]
    killer = threading.Timer(0.7, os.kill, (victim, signal.SIGKILL))
    for thread in (*threads, killer):
        thread.start()
    for thread in (*threads, killer):
        thread.join()
    assert not wrong
    assert len(answered) == 100
    answered.sort()
    silence = max(later - sooner for sooner, later in itertools.pairwise(answered))
    logger.info("longest silence: %s, %s: %.3f s", calm.language, model, silence)
    assert victim not in calm.pids(model)


def test_nothing_is_left_over(town: Town, at_first: tuple[Left, int]) -> None:
    """After every fault. The host's executor keeps up to four threads and one a core."""
    before, threads = at_first
    town.until(lambda: len(town.pids("shares")) == 2 and len(town.pids()) == 1)
    try:
        town.until(lambda: town.left() == before, 15)
    except AssertionError:
        assert town.left() == before
    assert town.threads() <= threads + 4 + (os.cpu_count() or 1)


def test_everything_accepted_is_answered_at_sigterm(town: Town) -> None:
    """Also what waits in a queue. It ends the town's server, so it comes last."""
    asks = [
        partial(town.ask, "sleep", model=model, first=i)
        for i in range(5)
        for model in ("obeys", "shares")
    ]
    stop = threading.Timer(0.3, town.served.process.send_signal, (signal.SIGTERM,))
    stop.start()
    replies = town.together(*asks)
    stop.join()
    assert [(r.status_code, r.json()) for r in replies] == [
        (200, {"predictions": [i + 1.0]}) for i in range(5) for _ in range(2)
    ]
    assert town.served.process.wait(30) == 0
