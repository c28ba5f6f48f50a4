"""Data sockets of fronts that end: what came over them goes with them, and nothing else does."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from polyhost.codecs import Answer, dispatch
from polyhost.wire import descriptors, frames
from polyhost.wire.frames import Frame, FrameFlag, FrameKind, Parser
from polyhost.worker.concurrent_loop import ConcurrentLoop
from polyhost.worker.connection import DataConnection, Job
from polyhost.worker.counters import Counters
from polyhost.worker.loop import DataLoop

META = b'{"op":"predict","dialect":"drum","type":"text/csv"}'


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def request(id: int, body: bytes = b"a") -> bytes:
    return frames.encode(FrameKind.REQUEST, id, META, body)


def test_a_front_that_is_killed_with_replies_unread_ends_its_line_alone(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    jobs: deque[Job] = deque()
    line = DataConnection(theirs, jobs)
    ours.send(request(1))
    line.drain()
    line.send(b"a reply that is never read")
    ours.close()  # recv on the other end is now ECONNRESET, not an end of file
    line.drain()
    assert not line.open


def test_what_came_over_a_closed_line_is_dropped_with_it(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    before = open_files()
    ours, theirs = ends
    other, others = socket.socketpair()
    jobs: deque[Job] = deque()
    line, neighbour = DataConnection(theirs, jobs), DataConnection(others, jobs)
    body = os.memfd_create("body")
    os.write(body, b"large")
    descriptors.send(ours, frames.encode(FrameKind.REQUEST, 1, META, flags=FrameFlag.FD), [body])
    ours.send(request(2))
    other.send(request(3))
    descriptors.send(ours, request(4)[:30], [body])  # a frame that was cut off, and a descriptor
    for each in (line, line, line, neighbour):  # a read ends where descriptors begin
        each.drain()
    assert [job.id for job in jobs] == [1, 2, 3]
    ours.close()
    line.drain()
    line.close()
    assert [(job.id, job.line) for job in jobs] == [(3, neighbour)]
    for late in (lambda: line.send(b"x"), lambda: line.send_file(1, META, bytes(2 << 20))):
        late()
    neighbour.close()
    other.close()
    os.close(body)
    assert open_files() == before - 2  # both ends of the fixture's pair are closed


@pytest.mark.parametrize("send", ["send", "send_file"])
def test_writing_to_a_front_that_has_gone_is_no_error(
    ends: tuple[socket.socket, socket.socket], send: str
) -> None:
    ours, theirs = ends
    line = DataConnection(theirs, deque())
    ours.close()
    arguments = (b"x",) if send == "send" else (1, META, bytes(2 << 20))
    getattr(line, send)(*arguments)
    assert not line.open


def test_a_ping_on_the_data_socket_is_answered_when_it_is_read(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    ours.send(frames.encode(FrameKind.PING, 7))
    DataConnection(theirs, deque()).drain()
    assert Parser().feed(ours.recv(100)) == [Frame(FrameKind.PONG, 0, 7, b"", b"")]


class Control:
    """What a loop asks of the control thread."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.batch: Any = ()
        self.turn = threading.Lock()
        self.running = self.interrupted = 0
        self.arrivals_fd, self.arrived_fd = os.pipe()
        self.arrived: list[socket.socket] = []

    def arrivals(self) -> list[socket.socket]:
        found, self.arrived = self.arrived, []
        if found:
            os.read(self.arrivals_fd, len(found))
        return found

    def attach(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.arrived.append(theirs)
        os.write(self.arrived_fd, b"a")
        return ours


class Predictor:
    def __init__(self) -> None:
        self.info = SimpleNamespace(batchable=False)
        self.interrupted = threading.Event()

    def interrupt_thread(self, thread: int) -> None:
        self.interrupted.set()


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Starts a loop on a thread of its own, with an ``answer`` in place of the dispatch."""
    started: list[tuple[threading.Thread, socket.socket, Any]] = []

    def start(answer: Callable[[bytes], bytes], calls: int = 1) -> Any:
        monkeypatch.setattr(
            dispatch, "answer", lambda predictor, request, body: Answer(answer(body), "text/plain")
        )
        ours, theirs = socket.socketpair()
        control, predictor = Control(), Predictor()
        make = DataLoop if calls == 1 else lambda *a, **k: ConcurrentLoop(calls, *a, **k)
        loop = make(theirs, predictor, control, fronts=True)
        thread = threading.Thread(target=loop.run)
        thread.start()
        started.append((thread, ours, loop))
        return control, predictor, ours

    yield start
    for thread, ours, loop in started:
        ours.close()
        thread.join(20)
        assert not thread.is_alive()
        for line in loop._lines:
            line.close()


def reply(sock: socket.socket, id: int) -> bytes:
    """The body of the reply to a request."""
    sock.settimeout(20)
    parser = Parser()
    while True:
        for frame in parser.feed(sock.recv(65536)):
            if frame.kind == FrameKind.REPLY:
                assert frame.id == id
                return frame.body


def test_a_loop_outlives_a_front_whose_requests_run_and_wait(running: Any) -> None:
    begun, go = threading.Event(), threading.Event()

    def answer(body: bytes) -> bytes:
        begun.set()
        assert go.wait(20)
        return body.upper()

    control, _, ours = running(answer)
    front = control.attach()
    for id in (11, 12, 13):
        front.send(request(id))
    assert begun.wait(20)
    front.close()
    ours.send(request(1, b"mine"))
    go.set()
    assert reply(ours, 1) == b"MINE"


def test_a_call_of_a_front_that_has_gone_is_interrupted_where_calls_run_at_once(
    running: Any,
) -> None:
    begun, go = threading.Event(), threading.Event()

    def answer(body: bytes) -> bytes:
        begun.set()
        assert go.wait(20)
        return body

    control, predictor, ours = running(answer, calls=2)
    front = control.attach()
    front.send(request(11))
    assert begun.wait(20)
    front.close()
    assert predictor.interrupted.wait(20)
    go.set()
    ours.send(request(1, b"mine"))
    assert reply(ours, 1) == b"mine"


def test_descriptors_above_1023_are_waited_for(running: Any) -> None:
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1030)]
    try:
        control, _, _ = running(bytes.upper)
        front = control.attach()
        assert front.fileno() > 1023
        front.send(request(5, b"high"))
        assert reply(front, 5) == b"HIGH"
        front.close()
    finally:
        for fd in held:
            os.close(fd)


@pytest.mark.parametrize("error", [GeneratorExit("the guest's own"), FileNotFoundError("lexicon")])
def test_a_stream_that_breaks_off_is_that_requests_error(
    running: Any, error: BaseException
) -> None:
    def answer(body: bytes) -> Any:
        if body != b"break":
            return body

        def chunks() -> Iterator[bytes]:
            yield b"one"
            raise error

        return chunks()

    _, _, ours = running(answer)
    ours.send(request(1, b"break") + request(2, b"next"))
    kinds: list[tuple[int, int]] = []
    parser = Parser()
    while (FrameKind.REPLY, 2) not in kinds:
        kinds += [(frame.kind, frame.id) for frame in parser.feed(ours.recv(65536))]
    assert (FrameKind.ERROR, 1) in kinds
