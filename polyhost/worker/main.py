"""The worker process: one predictor behind two sockets.

The guest's own thread (the main one) drains the data socket itself, takes all that waits,
predicts once and writes once. A second thread answers the control socket.
"""

from __future__ import annotations

import io
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections import deque
from functools import partial
from types import FrameType
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Tuple

from polyhost import logs
from polyhost.errors import LoadError, PolyhostError
from polyhost.wire import descriptors, frames, linux
from polyhost.wire.frames import Frame, FrameKind, LongMetas, Parser
from polyhost.wire.messages import calls_at_once, info_to_wire, spec_from_wire
from polyhost.wire.output_marks import Marker
from polyhost.wire.replies import error_meta
from polyhost.worker import counters, stacks
from polyhost.worker.counters import Counters


class Control:
    """The control socket's thread: ping, stop, interrupt, reports; and the end of the host."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._parser = Parser()
        self._early: List[Frame] = []
        self._lock = threading.Lock()
        self.predictor: Any = None
        self.counters = Counters()
        self.turn = threading.Lock()
        """Held where ``running`` and ``batch`` change, so that an interrupt meets what it is for."""
        self.running: int = 0
        """Id of the request that runs now; 0 when none does."""
        self.batch: Sequence[Any] = ()
        """The jobs that share its call, itself among them."""
        self.interrupted: int = 0
        self.interrupt: Callable[[int], None] = self._interrupt_running
        """Stops the work for a request; who runs several at once puts a function here."""
        self.arrivals_fd, self._arrived_fd = os.pipe()
        self._arrivals: Deque[socket.socket] = deque()

    def initial(self) -> Dict[str, Any]:
        """Wait for INIT, the first frame; what came along with it is handled after the start."""
        pieces = LongMetas()
        first: Optional[Frame] = None
        while first is None:
            self._early += self._parser.feed(*self._read())
            while first is None and self._early:
                first = pieces.add(self._early.pop(0))
        if first.kind != FrameKind.INIT:
            raise frames.ProtocolError(f"expected INIT first, found kind {first.kind}")
        return first.json()

    def _read(self) -> Tuple[bytes, List[int]]:
        data, fds = descriptors.receive(self.sock, 65536)
        if not data:
            os._exit(0)
        return data, fds

    def arrivals(self) -> List[socket.socket]:
        """Data sockets that further fronts have brought since the last call."""
        found = []
        while self._arrivals:
            os.read(self.arrivals_fd, 1)
            found.append(self._arrivals.popleft())
        return found

    def start(self) -> None:
        threading.Thread(target=self._run, name="polyhost-control", daemon=True).start()

    def _run(self) -> None:
        try:
            for frame in self._early:
                self._handle(frame)
            while True:
                self._wait()
                for frame in self._parser.feed(*self._read()):
                    self._handle(frame)
        except OSError:
            os._exit(0)

    def _wait(self) -> None:
        """Send reports as they fall due, until the host has something to say."""
        counters, poll = self.counters, select.poll()
        poll.register(self.sock, select.POLLIN)
        poll.register(counters.wake_fd, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll(counters.wait)]
            if counters.wake_fd in ready:
                counters.on_wake()
            if counters.wait == 0:
                self.report()
            if self.sock.fileno() in ready:
                return

    def report(self) -> None:
        """Report to the host what was counted since the last report."""
        self.send(FrameKind.METRIC, 0, self.counters.take())

    def _handle(self, frame: Frame) -> None:
        if frame.kind == FrameKind.PING:
            self.send(FrameKind.PONG, frame.id)
        elif frame.kind == FrameKind.INTERRUPT:
            self.interrupt(frame.id)
        elif frame.kind == FrameKind.ATTACH and frame.fd is not None:
            self._arrivals.append(socket.socket(fileno=frame.fd))
            os.write(self._arrived_fd, b"a")
        elif frame.kind == FrameKind.STACKS:
            stacks.write_guest(self.predictor)
            self.send(FrameKind.STACKS)
        elif frame.kind == FrameKind.STOP and not self.running:
            # Between requests the data socket's end is enough; while loading nothing reads it.
            if self.predictor is None:
                os._exit(0)

    def _interrupt_running(self, id: int) -> None:
        predictor = self.predictor
        with self.turn:
            running = self.running
            if predictor is not None and running and any(job.id == id for job in self.batch):
                self.interrupted = running
                predictor.interrupt()

    def send(self, kind: int, id: int = 0, meta: Optional[Dict[str, Any]] = None) -> None:
        self._write(frames.encode(kind, id, frames.dumps(meta) if meta else b""))

    def send_ready(self, meta: Dict[str, Any]) -> None:
        """Send READY, however long it is."""
        self._write(frames.encode_long(FrameKind.READY, frames.dumps(meta)))

    def send_error(self, error: BaseException) -> None:
        """Say why there is no model."""
        self._write(frames.encode(FrameKind.ERROR, 0, error_meta(error)))

    def _write(self, data: bytes) -> None:
        with self._lock:
            self.sock.sendall(data)


def main(data_fd: int, control_fd: int) -> None:
    """Run a worker over these descriptors until the host closes them; never returns."""
    data = socket.socket(fileno=data_fd)
    control = Control(socket.socket(fileno=control_fd))
    counters.use(control.counters)
    status = 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a pipe is read by somebody who waits
    try:
        status = _run(data, control)
    except SystemExit as stop:
        status = _exit_status(stop)
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                status = status or 1
        os._exit(status)


def _exit_status(stop: SystemExit) -> int:
    """What Python itself would exit with."""
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF
    sys.stderr.write(f"{stop.code}\n")
    return 1


def _run(data: socket.socket, control: Control) -> int:
    init = control.initial()
    options = dict(init.get("loop", {}))
    choose = _loops(options.pop("max_concurrency", 1))
    if init.get("protocol") != frames.PROTOCOL_VERSION:
        raise frames.ProtocolError(
            f"the host speaks worker protocol {init.get('protocol')!r}, "
            f"this worker {frames.PROTOCOL_VERSION}"
        )
    logs.configure_worker(init.get("log_level", logging.WARNING))
    stacks.answer_signal()
    signal.signal(signal.SIGINT, _on_interrupt)
    linux.become_subreaper()  # what the guest leaves behind stays below this worker
    marks = init.get("marks")
    marker = Marker(marks) if marks else None
    control.start()
    try:
        predictor = _open(init)
    except BaseException as error:  # an exit among them
        if not isinstance(error, PolyhostError):
            traceback.print_exc()
            error = LoadError(f"the model cannot be loaded: {type(error).__name__}: {error}")
        control.send_error(error)
        _wait_for_close(data)
        return 1
    control.predictor = control.counters.predictor = predictor
    control.send_ready(
        {
            "protocol": frames.PROTOCOL_VERSION,
            "pid": os.getpid(),
            "descriptors": True,
            "info": info_to_wire(predictor.info),
        }
    )
    make_loop = choose(predictor.info.threads)
    make_loop(data, predictor, control, marker=marker, **options).run()
    control.report()
    predictor.close()
    return 0


def _on_interrupt(number: int, frame: Optional[FrameType]) -> None:
    """In the place of Python's own handler, which bridges take for a person at a keyboard."""
    raise KeyboardInterrupt


def _loops(wanted: int) -> Callable[[int], Callable[..., Any]]:
    """What chooses the data loop by the calls that the guest takes; imported before guest code."""
    from polyhost.worker.loop import DataLoop

    if wanted == 1:
        return lambda threads: DataLoop
    from polyhost.worker.concurrent_loop import ConcurrentLoop

    def choose(threads: int) -> Callable[..., Any]:
        calls = calls_at_once(wanted, threads)
        return DataLoop if calls == 1 else partial(ConcurrentLoop, calls)

    return choose


def _open(init: Dict[str, Any]) -> Any:
    from polyhost.predictor import JOB

    spec = spec_from_wire(init["spec"])
    if JOB in spec.options:
        from polyhost.pipeline.train import Trainer

        return Trainer(spec)
    from polyhost.pipeline.pipeline import open_predictor

    return open_predictor(spec)


def _wait_for_close(data: socket.socket) -> None:
    """Give the host a moment to read the error before this process ends."""
    select.select([data], [], [], 5.0)


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    main(arguments["data"], arguments["control"])
