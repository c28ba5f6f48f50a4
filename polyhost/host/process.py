"""The host's handle on one worker process: its sockets, its output, its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from typing import Any, Callable, Dict, List, Optional

from polyhost.errors import PolyhostError, WorkerCrashed, WorkerStartTimeout, from_wire
from polyhost.host.sender import Sender
from polyhost.host.sockets import Sockets
from polyhost.predictor import ModelInfo, ModelSpec
from polyhost.wire import descriptors, frames
from polyhost.wire.frames import Frame, FrameFlag, FrameKind, LongMetas, Parser, ProtocolError
from polyhost.wire.messages import info_from_wire, spec_to_wire
from polyhost.wire.output_marks import MarkReader, new_token
from polyhost.worker.stacks import SIGNAL as STACKS_SIGNAL

logger = logging.getLogger(__name__)

READ = 1 << 18

STACKS_TIME, STACKS_REST = 1.0, 0.05
"""Seconds that a hung worker gets to dump its stacks; and those it lives on once it says it has,
since the signal may still be at work."""

OUTSIDE = (signal.SIGKILL, signal.SIGTERM)
"""What an operator or the kernel ends a process with that has done nothing."""

OutputSink = Callable[[str, bytes, int], None]
"""Called with ``"stdout"`` or ``"stderr"``, what the guest wrote there, and the id of the request
that it belongs to (0: none, or not known). No bytes at all: the line, if it is one, ends here."""


class WorkerProcess:
    """One worker, from its start to its end. Lives on the event loop's thread.

    ``on_frame(frame)`` is called for every REPLY and ERROR on the data socket, ``on_exit(self)``
    once, when the process has ended and has been reaped.
    """

    def __init__(
        self,
        pid: int,
        sockets: Sockets,
        loop: asyncio.AbstractEventLoop,
        *,
        on_frames: Callable[[List[Frame]], None],
        on_exit: Callable[[WorkerProcess], None],
        on_output: OutputSink,
        on_metric: Callable[[Dict[str, Any]], None] = lambda report: None,
        marks: bool = False,
    ) -> None:
        self.pid = pid
        self.exit_code: Optional[int] = None
        self.info: Optional[ModelInfo] = None
        self.descriptors = False
        self._sockets = sockets
        self._loop = loop
        self._on_frames = on_frames
        self._on_exit = on_exit
        self._on_output = on_output
        self._on_metric = on_metric
        self._token = new_token() if marks else ""
        self._marks = MarkReader(self._token) if marks else None
        self._hung = False
        self._reading: Optional[asyncio.TimerHandle] = None
        self._broken = ""
        self._killed = False
        self._parser = Parser()
        self._control_parser = Parser()
        self._long = LongMetas()
        self._sender = Sender(sockets.data, loop, f"worker {pid}")
        self._control = Sender(sockets.control, loop, f"worker {pid} control")
        self._ready: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[int] = loop.create_future()
        self._data_fd = sockets.data.fileno()
        self._pidfd = os.pidfd_open(pid)
        loop.add_reader(self._pidfd, self._on_end)
        loop.add_reader(self._data_fd, self._on_data)
        loop.add_reader(sockets.control.fileno(), self._on_control)
        for name, fd in (("stdout", sockets.stdout), ("stderr", sockets.stderr)):
            loop.add_reader(fd, self._on_guest_output, name, fd)

    # Starting

    def initialise(self, spec: ModelSpec, loop_options: Dict[str, Any]) -> None:
        """Send INIT: what to load."""
        meta = {
            "protocol": frames.PROTOCOL_VERSION,
            "spec": spec_to_wire(spec),
            "loop": loop_options,
            "log_level": logging.getLogger().getEffectiveLevel(),
        }
        if self._token:
            meta["marks"] = self._token
        self._control.send(frames.encode_long(FrameKind.INIT, frames.dumps(meta)))

    async def wait_ready(self, timeout: float) -> ModelInfo:
        """Wait for READY. What the worker said is wrong, its early end, or a timeout, is raised."""
        done, _ = await asyncio.wait((self._ready,), timeout=timeout)
        if not done:
            self.end_hung()
            raise WorkerStartTimeout(
                f"the model was not ready after {timeout:g} s: the worker was stopped. "
                "Raise --load-timeout if it needs longer.",
                timeout=timeout,
            )
        self._ready.result()
        if self.info is None:
            raise self.crash()
        return self.info

    # Sending

    def send(self, data: bytes, fd: Optional[int] = None) -> None:
        """Queue a frame; all frames of one turn of the event loop leave in one write."""
        self._sender.send(data, fd)

    def attach(self, sock: socket.socket) -> None:
        """Give the worker another front's data socket."""
        data = frames.encode(FrameKind.ATTACH, 0, flags=FrameFlag.FD)
        self._control.send(data, os.dup(sock.fileno()), own=True)

    def expect_reading(self, within: float) -> None:
        """End the worker unless it reads requests, as it does between calls, in so many seconds."""
        if self._reading is None and self.exit_code is None:
            self.send(frames.encode(FrameKind.PING, 0))
            self._reading = self._loop.call_later(within, self.end_hung)

    def _has_read(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def interrupt(self, id: int) -> None:
        """Ask the guest to stop what it does."""
        self._control.send(frames.encode(FrameKind.INTERRUPT, id))

    # Receiving

    def _on_data(self) -> None:
        """Read once. Nothing more is read after the peer's end or its first mistake."""
        if not self._read_data():
            self._loop.remove_reader(self._data_fd)

    def _read_data(self) -> bool:
        try:
            data, fds = descriptors.receive(self._sockets.data, READ)
            if not data:
                return False
            found = self._parser.feed(data, fds)
        except BlockingIOError:
            return self.exit_code is None
        except ConnectionError:
            return False
        except (OSError, ProtocolError) as error:
            self._break(error)
            return False
        return not found or self._hand_over(found)

    def _hand_over(self, found: List[Frame]) -> bool:
        if self._reading is not None and any(frame.kind == FrameKind.PONG for frame in found):
            self._has_read()
        try:
            self._on_frames(found)
        except ProtocolError as error:
            self._break(error)
            return False
        return True

    def _break(self, error: Exception) -> None:
        """What came is not a frame: guest code wrote to our sockets, or the worker is none of ours."""
        if not self._broken:
            logger.error("worker %s broke the protocol: %s; it is replaced", self.pid, error)
        self._broken = str(error)
        self.kill()

    def _on_control(self) -> None:
        try:
            data = self._sockets.control.recv(READ)
            if not data:
                self._loop.remove_reader(self._sockets.control.fileno())
                return
            for piece in self._control_parser.feed(data):
                frame = self._long.add(piece)
                if frame is not None:
                    self._on_control_frame(frame)
        except BlockingIOError:
            return
        except ConnectionError:
            self._loop.remove_reader(self._sockets.control.fileno())
        except (OSError, ProtocolError, KeyError, TypeError, ValueError) as error:
            self._loop.remove_reader(self._sockets.control.fileno())
            self._break(error)

    def _on_control_frame(self, frame: Frame) -> None:
        if frame.kind == FrameKind.READY:
            message = frame.json()
            if message.get("protocol") != frames.PROTOCOL_VERSION:
                raise ProtocolError(f"READY of protocol {message.get('protocol')!r}")
            self.info = info_from_wire(message["info"])
            self.descriptors = bool(message.get("descriptors"))
            if not self._ready.done():
                self._ready.set_result(None)
        elif frame.kind == FrameKind.METRIC:
            self._on_metric(frame.json())
        elif frame.kind == FrameKind.STACKS and self._hung:
            self._loop.call_later(STACKS_REST, self.kill)
        elif frame.kind == FrameKind.ERROR and not self._ready.done():
            self._fail(from_wire(frame.json()))
            self.kill()

    def _fail(self, error: PolyhostError) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # retrieved here: nobody may be waiting

    def _on_guest_output(self, name: str, fd: int) -> None:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._pass_on(name, data)
        else:
            self._loop.remove_reader(fd)

    def _pass_on(self, name: str, data: bytes) -> None:
        if self._marks is None:
            self._on_output(name, data, 0)
        else:
            for id, piece in self._marks.split(name, data):
                self._on_output(name, piece, id)

    # Ending

    def finish(self) -> None:
        """Ask for an orderly end: the worker answers what it has, then leaves."""
        self._control.send(frames.encode(FrameKind.STOP, 0))
        try:
            self._sockets.data.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def dump_stacks(self) -> None:
        """Have the worker write its threads' stacks to its standard error, whatever it does now.

        Only before it is killed: a worker that is none of ours may die of the signal.
        """
        if self.exit_code is None:
            self._control.send(frames.encode(FrameKind.STACKS, 0))
            try:
                signal.pidfd_send_signal(self._pidfd, STACKS_SIGNAL)
            except ProcessLookupError:
                logger.debug("worker %s has ended by itself", self.pid)

    def end_hung(self) -> None:
        """Kill a worker that does not answer, after it dumped its stacks. Once is enough."""
        if self._hung or self.exit_code is not None:
            return
        self._hung = True
        logger.warning("worker %s hangs: its stacks follow, then it is killed", self.pid)
        self.dump_stacks()
        self._loop.call_later(STACKS_TIME, self.kill)

    def kill(self) -> None:
        """End the worker and its whole process group now."""
        if self.exit_code is not None:
            return
        self._killed = True
        for send in (os.killpg, os.kill):
            try:
                send(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue

    async def stop(self, grace: float) -> None:
        """Finish, wait, kill, reap."""
        if self.exit_code is None:
            self.finish()
            done, _ = await asyncio.wait((self._ended,), timeout=grace)
            if not done:
                self.kill()
        await asyncio.wait((self._ended,))

    def _on_end(self) -> None:
        self._has_read()
        self._loop.remove_reader(self._pidfd)
        try:
            _, status = os.waitpid(self.pid, 0)
            self.exit_code = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            self.exit_code = 255
        try:
            os.killpg(self.pid, signal.SIGKILL)  # what the guest left running
        except (ProcessLookupError, PermissionError):
            logger.debug("worker %s left nothing running", self.pid)
        self._drain()
        self._fail(self.crash())
        if not self._ended.done():
            self._ended.set_result(self.exit_code)
        self._on_exit(self)

    def crash(self) -> WorkerCrashed:
        """This worker's end, as an error."""
        code = self.exit_code or 0
        if self._broken:
            return WorkerCrashed(
                f"the model's process was ended: it wrote what is no frame to a socket of its "
                f"host ({self._broken}). Does the model's code write to descriptors that are not "
                "its own?",
                exit_code=code,
            )
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        facts = {"outside": True} if -code in OUTSIDE and not self._killed else {}
        return WorkerCrashed(f"the model's process ended: {how}", exit_code=code, **facts)

    def _drain(self) -> None:
        """Read what the dead worker left in its sockets, then close them."""
        while self._read_data():
            continue
        self._on_control()
        for name, fd in (("stdout", self._sockets.stdout), ("stderr", self._sockets.stderr)):
            for _ in range(16):
                if not self._read_last(name, fd):
                    break
            rest = self._marks.rest(name) if self._marks is not None else b""
            if rest:
                self._on_output(name, rest, 0)
            self._on_output(name, b"", 0)
            self._loop.remove_reader(fd)
        self._loop.remove_reader(self._data_fd)
        self._loop.remove_reader(self._sockets.control.fileno())
        self._sender.close()
        self._control.close()
        os.close(self._pidfd)
        self._parser.close()
        self._sockets.close()

    def _read_last(self, name: str, fd: int) -> bool:
        try:
            data = os.read(fd, 65536)
        except OSError:
            return False
        if data:
            self._pass_on(name, data)
        return bool(data)
