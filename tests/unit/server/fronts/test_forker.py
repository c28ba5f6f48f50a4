"""The process that forks fronts, with fronts that do as the test says."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from polyhost.host.shared_counts import BODIES, SharedCounts
from polyhost.server.fronts import forker as module
from polyhost.server.fronts.forker import FIRST_PAUSE, LONGEST_PAUSE, YOUNG, Forker, Pauses
from polyhost.settings import ServerSettings
from polyhost.wire import descriptors
from polyhost.wire.frames import Parser

SETTINGS = replace(ServerSettings(), fronts=2)


def serve(
    settings: ServerSettings, sock: socket.socket, channel: socket.socket, number: int
) -> int:
    """A front that does what its channel says: an exit code, or an error."""
    channel.send(b"up")
    word = channel.recv(10)
    if word == b"raise":
        raise RuntimeError("at its start")
    return int(word or b"0")


@dataclass
class Announced:
    pid: int
    number: int
    channel: socket.socket

    def order(self, word: bytes) -> None:
        """Have the front end, and wait until it has."""
        assert self.channel.recv(10) == b"up"
        self.channel.send(word)
        assert self.channel.recv(10) == b""
        self.channel.close()


class Forked:
    def __init__(self, forker: Forker) -> None:
        self.forker = forker
        forker.sock.settimeout(20)
        self._parser = Parser()

    def announced(self) -> Announced | None:
        """The next front that was forked; None when there will be none."""
        while True:
            data, fds = descriptors.receive(self.forker.sock, 65536)
            if not data:
                return None
            for frame in self._parser.feed(data, fds):
                message = json.loads(frame.body)
                assert frame.fd is not None
                channel = socket.socket(fileno=frame.fd)
                channel.settimeout(20)
                return Announced(message["front"], message["number"], channel)

    def two(self) -> list[Announced]:
        found = [self.announced(), self.announced()]
        return [front for front in found if front is not None]

    def stop(self) -> int:
        os.kill(self.forker.pid, signal.SIGTERM)
        return os.waitstatus_to_exitcode(os.waitpid(self.forker.pid, 0)[1])


@pytest.fixture
def counts() -> SharedCounts:
    return SharedCounts(writers=3, cells=8)


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch, counts: SharedCounts) -> Iterator[Forked]:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    sock = socket.socket()
    made = Forked(module.fork_fronts(SETTINGS, sock, serve, counts))
    yield made
    made.forker.sock.close()
    sock.close()


def test_a_front_that_dies_is_forked_again_under_its_number(
    forked: Forked, counts: SharedCounts
) -> None:
    one, two = forked.two()
    assert {one.number, two.number} == {0, 1}
    counts.count(BODIES, one.number).put(100)
    one.order(b"3")
    again = forked.announced()
    assert again is not None
    assert (again.number, again.pid != one.pid) == (one.number, True)
    assert counts.count(BODIES, 2).others == 0  # what it held goes with it
    again.order(b"raise")
    third = forked.announced()
    assert third is not None
    assert third.number == one.number
    for front in (two, third):
        front.order(b"0")
        last = forked.announced()
        assert last is not None
        last.channel.close()
    assert forked.stop() == 0


def test_fronts_that_die_at_their_start_are_forked_again_after_a_pause(
    monkeypatch: pytest.MonkeyPatch, counts: SharedCounts
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 1000.0)
    sock = socket.socket()
    forked = Forked(module.fork_fronts(SETTINGS, sock, serve, counts))
    for front in forked.two():
        front.order(b"1")
    assert forked.stop() == 0  # in the middle of the pause
    assert forked.announced() is None
    forked.forker.sock.close()
    sock.close()


def test_a_signal_forks_no_more_and_waits_for_those_that_are_there(forked: Forked) -> None:
    one, two = forked.two()
    os.kill(forked.forker.pid, signal.SIGTERM)
    one.order(b"0")
    two.order(b"0")
    assert forked.announced() is None
    assert os.waitstatus_to_exitcode(os.waitpid(forked.forker.pid, 0)[1]) == 0


def test_pauses_grow_while_fronts_die_young() -> None:
    pauses = Pauses()
    found = [pauses.after(0.0) for _ in range(12)]
    assert found[:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert found[-1] == LONGEST_PAUSE
    assert pauses.after(YOUNG + 1) == FIRST_PAUSE
    assert pauses.after(0.0) == 2 * FIRST_PAUSE
