"""What a worker does with an INTERRUPT."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from polyhost.wire.frames import Frame, FrameKind
from polyhost.worker.main import Control


class Interrupted:
    """Counts how often it is interrupted."""

    times = 0

    def interrupt(self) -> None:
        self.times += 1


@pytest.fixture
def control() -> Iterator[Control]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        control = Control(theirs)
        control.predictor = Interrupted()
        control.batch = [SimpleNamespace(id=7), SimpleNamespace(id=8)]
        control.running = 7
        yield control


@pytest.mark.parametrize(("id", "times"), [(7, 1), (8, 1), (9, 0)])
def test_only_what_runs_is_interrupted(control: Control, id: int, times: int):
    """Another front's request, or one that ended a moment ago, stops no other."""
    control._handle(Frame(FrameKind.INTERRUPT, 0, id, b"", b""))
    assert control.predictor.times == times
    assert control.interrupted == 7 * times


def test_nothing_is_interrupted_when_nothing_runs(control: Control):
    control.running = 0
    control._handle(Frame(FrameKind.INTERRUPT, 0, 7, b"", b""))
    assert control.predictor.times == 0
