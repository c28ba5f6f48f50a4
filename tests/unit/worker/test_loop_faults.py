"""What goes wrong with one request in the data loop stays with that request."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from polyhost.codecs import Answer, dispatch
from polyhost.errors import GuestStatus
from polyhost.wire import frames
from polyhost.wire.frames import Frame, FrameFlag, FrameKind, Parser
from polyhost.worker.concurrent_loop import ConcurrentLoop
from polyhost.worker.counters import Counters
from polyhost.worker.loop import DataLoop

META = b'{"op":"predict","dialect":"drum","type":"text/csv"}'


class Unprintable(BaseException):
    def __str__(self) -> str:
        raise ValueError("no text")


class Control:
    """What the loop needs of a worker's control socket."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.turn = threading.Lock()
        self.running = self.interrupted = 0
        self.batch: Any = ()
        self.arrivals_fd, self._arrived_fd = os.pipe()

    def close(self) -> None:
        os.close(self.arrivals_fd)
        os.close(self._arrived_fd)


class Worker:
    """A loop on a thread, over a socket; ``answers`` are given in order."""

    def __init__(self, patch: pytest.MonkeyPatch, concurrent: bool = False) -> None:
        self.answers: list[Any] = []
        self.control = Control()
        self.ours, theirs = socket.socketpair()
        self._parser = Parser()
        predictor: Any = SimpleNamespace(info=SimpleNamespace(batchable=True))
        patch.setattr(dispatch, "answer", self._answer)
        patch.setattr(dispatch, "answer_many", self._answer_many)
        loop: DataLoop
        if concurrent:
            loop = ConcurrentLoop(2, theirs, predictor, self.control)
        else:
            loop = DataLoop(theirs, predictor, self.control)
        self._thread = threading.Thread(target=loop.run)
        self._theirs = theirs

    def _answer(self, predictor: Any, request: Any, body: Any) -> Answer:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        found: Answer = answer() if callable(answer) else answer
        return found

    def _answer_many(self, predictor: Any, request: Any, bodies: Any) -> list[Any]:
        answer = self.answers[0]
        if callable(answer):
            self.answers.pop(0)()
        return [self.answers.pop(0) for _ in bodies]

    def ask(self, *answers: Any, alone: bool = True) -> list[Frame]:
        """The last frame of each answer; ``alone``: they share no call."""
        self.answers += answers
        for id in range(1, len([a for a in answers if not isinstance(a, Beside)]) + 1):
            flags = FrameFlag.SOLO if alone else 0
            self.ours.sendall(frames.encode(FrameKind.REQUEST, id, META, b"a", flags))
        self._thread.start()
        found: list[Frame] = []
        self.ours.settimeout(10)
        self.ours.shutdown(socket.SHUT_WR)  # it answers what it has, and ends
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._theirs.close()
        self.control.close()
        while data := self.ours.recv(1 << 20):
            found += [f for f in self._parser.feed(data) if not f.flags & FrameFlag.MORE]
        self.ours.close()
        return sorted(found, key=lambda frame: frame.id)


class Beside:
    """Runs before a batch's answers are given."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __call__(self) -> None:
        self._call()


@pytest.fixture(params=[False, True], ids=["serial", "concurrent"])
def worker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(monkeypatch, request.param)


GOOD = Answer(b"fine", "text/plain")
BAD_HEADS = [
    Answer(b"x", "text/plain", status=2000),
    Answer(b"x", "text/plain", status=101),
    Answer(b"x", "text/a\nb"),
    Answer(b"x", "text/\u20ac"),
    Answer(b"x", headers={"X-A": "b\r\nc"}),
]


def kinds(found: list[Frame]) -> list[tuple[int, int]]:
    return [(frame.id, frame.kind) for frame in found]


@pytest.mark.parametrize("bad", BAD_HEADS)
def test_an_answer_that_cannot_be_written_is_an_error_of_its_own(
    worker: Worker, bad: Answer
) -> None:
    found = worker.ask(GOOD, bad, GOOD)
    assert kinds(found) == [(1, FrameKind.REPLY), (2, FrameKind.ERROR), (3, FrameKind.REPLY)]
    assert found[1].json()["kind"] == "InvalidOutput"


def test_so_it_is_among_those_that_share_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Worker(monkeypatch).ask(GOOD, BAD_HEADS[0], GOOD, alone=False)
    assert kinds(found) == [(1, FrameKind.REPLY), (2, FrameKind.ERROR), (3, FrameKind.REPLY)]


@pytest.mark.parametrize(
    "error", [SystemExit(3), GeneratorExit(), KeyboardInterrupt(), Unprintable()]
)
def test_whatever_is_raised_is_an_error_of_its_own(worker: Worker, error: BaseException) -> None:
    found = worker.ask(error, GOOD)
    assert kinds(found) == [(1, FrameKind.ERROR), (2, FrameKind.REPLY)]
    wire = found[0].json()
    assert (wire["kind"], wire["facts"]["native_type"]) == ("ModelError", type(error).__name__)


def test_a_closed_standard_error_is_no_end_of_the_worker(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed:
        def write(self, text: str) -> int:
            raise ValueError("closed")

        flush = write

    monkeypatch.setattr(sys, "stderr", Closed())
    assert kinds(worker.ask(KeyError("a"), GOOD)) == [(1, FrameKind.ERROR), (2, FrameKind.REPLY)]


def test_a_status_that_no_answer_has_is_the_models_error(worker: Worker) -> None:
    (found,) = worker.ask(GuestStatus("pay", status=2000, hook="score"))
    assert found.json()["kind"] == "ModelError"


def test_a_generator_that_fails_ends_its_stream(worker: Worker) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"first"
        raise GeneratorExit

    found = worker.ask(Answer(chunks()), GOOD)
    assert kinds(found) == [(1, FrameKind.ERROR), (2, FrameKind.REPLY)]


@pytest.mark.parametrize("shared", [False, True])
def test_an_interrupt_says_whether_the_call_was_shared(
    monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """Only then may another try, alone, come to a better end."""
    worker = Worker(monkeypatch)

    def interrupted() -> Answer:
        worker.control.interrupted = worker.control.running
        raise KeyboardInterrupt

    if shared:
        found = worker.ask(Beside(interrupted), GOOD, GOOD, alone=False)
    else:
        found = worker.ask(interrupted)
    facts = [frame.json()["facts"] for frame in found]
    assert {frame.json()["kind"] for frame in found} == {"WorkerTimeout"}
    assert facts == ([{"shared": True}] * 2 if shared else [{}])
