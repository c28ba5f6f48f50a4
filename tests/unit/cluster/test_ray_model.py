"""Which actor a chunk goes to, and what happens when actors die; ``ray`` is a stand-in."""

from __future__ import annotations

import socket
import sys
import threading
import types
from concurrent.futures import Future

import pytest

from polyhost.cluster.ray_files import expect_reachable
from polyhost.cluster.ray_score import TRIES, RayModel, ScoringActor
from polyhost.codecs import Request
from polyhost.errors import (
    CodeDirError,
    ModelError,
    RuntimeUnavailable,
    WorkerCrashed,
    WorkerNotReady,
    to_wire,
)


class RayError(Exception):
    """As Ray's own: an actor is gone."""


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    """``ray``: a reference is a function that gives its value."""
    ray = types.ModuleType("ray")
    ray.get = lambda reference: reference()
    ray.kill = lambda actor: actor.killed.set()
    ray.exceptions = types.SimpleNamespace(RayError=RayError)
    monkeypatch.setitem(sys.modules, "ray", ray)


class Actor:
    """An actor of the stand-in; ``score`` and ``describe`` are what its methods do."""

    def __init__(self, score=lambda: ("ok", ({}, b"answer")), describe=lambda: ("ok", "info")):
        self.killed = threading.Event()
        self.calls = 0
        self._score = score
        self.describe = types.SimpleNamespace(remote=lambda: describe)
        self.score = types.SimpleNamespace(remote=self._begin)

    def _begin(self, request, pieces, retry):
        self.calls += 1
        return self._score


def dies():
    raise RayError("gone")


REQUEST = Request("predict", "batch", "text/csv", "")


def test_a_chunk_whose_actor_dies_goes_to_another():
    actors = [Actor(score=dies), Actor()]
    made = iter(actors)
    model = RayModel(lambda: next(made), 1)
    assert model.info == "info"
    assert model.submit(REQUEST, [b"a"]).result(30) == ({}, b"answer")
    assert [actor.calls for actor in actors] == [1, 1]
    model.close()
    assert actors[1].killed.is_set()


def test_an_actor_that_comes_later_finds_work():
    """One actor answers nothing until the other one, which is ready later, has answered."""
    first_has_two, second_answered = threading.Event(), threading.Event()

    def slow():
        if first.calls == 2:
            first_has_two.set()
        assert second_answered.wait(30)
        return "ok", ({}, b"slow")

    def late():
        assert first_has_two.wait(30)
        return "ok", "info"

    def quick():
        second_answered.set()
        return "ok", ({}, b"quick")

    first, second = Actor(score=slow), Actor(score=quick, describe=late)
    made = iter([first, second])
    model = RayModel(lambda: next(made), 2)
    answers = [model.submit(REQUEST, [b"a"]) for _ in range(4)]
    assert b"quick" in {answer.result(30)[1] for answer in answers}
    model.close()


def test_errors_keep_their_kind():
    failed = to_wire(ModelError("score went wrong", language="r"))
    model = RayModel(lambda: Actor(score=lambda: ("error", failed)), 1)
    with pytest.raises(ModelError, match="score went wrong"):
        model.submit(REQUEST, [b"a"]).result(30)
    model.close()


def test_a_model_that_cannot_load_is_the_answer_to_every_call():
    failed = to_wire(CodeDirError("no model"))
    model = RayModel(lambda: Actor(describe=lambda: ("error", failed)), 1)
    with pytest.raises(CodeDirError, match="no model"):
        model.wait_ready()
    with pytest.raises(CodeDirError, match="no model"):
        model.submit(REQUEST, [b"a"]).result(30)
    model.close()


def test_actors_that_never_come_up_end_the_run():
    model = RayModel(lambda: Actor(describe=dies), 2)
    with pytest.raises(WorkerCrashed, match="before they were ready"):
        model.wait_ready()
    model.close()


def test_a_chunk_that_ends_every_actor_is_given_up():
    model = RayModel(lambda: Actor(score=dies), 2)
    with pytest.raises(WorkerCrashed, match="5 actors died"):
        model.submit(REQUEST, [b"a"]).result(30)
    model.close()


class Restarting:
    """A model whose worker is being started again for the first calls."""

    def __init__(self, calls):
        self.left = calls

    def submit(self, request, pieces, retry):
        answer = Future()
        self.left -= 1
        if self.left >= 0:
            answer.set_exception(WorkerNotReady("another one is being started"))
        else:
            answer.set_result(({}, b"answer"))
        return answer


@pytest.mark.parametrize(("calls", "wanted"), [(2, "ok"), (TRIES, "error")])
def test_an_actor_waits_for_a_worker_that_starts_again(monkeypatch, calls, wanted):
    monkeypatch.setattr(ScoringActor, "_load", lambda self, given: Restarting(calls))
    monkeypatch.setattr(Restarting, "info", "info", raising=False)
    actor = ScoringActor(None)
    assert actor.score(REQUEST.to_wire(), [b"a"], True)[0] == wanted


def test_an_address_where_nobody_listens_is_an_error_at_once():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(RuntimeUnavailable, match=f"no Ray cluster at {address}"):
            expect_reachable(address)


@pytest.mark.parametrize("address", ["", "auto", "local", "ray://host:10001"])
def test_other_addresses_are_for_ray_to_judge(address):
    expect_reachable(address)
