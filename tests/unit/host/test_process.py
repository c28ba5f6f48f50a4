"""The host's handle on one process: what it sends, what it makes of what comes, how it ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from unit.host.stranger_nursery import STRANGER

from polyhost.data.target import Target, TargetType
from polyhost.errors import WorkerCrashed, WorkerStartTimeout
from polyhost.host.process import WorkerProcess
from polyhost.host.sockets import Sockets
from polyhost.predictor import ModelSpec
from polyhost.wire import frames
from polyhost.wire.frames import Frame, FrameKind

SPEC = ModelSpec(Path("/nowhere"), "python", Target(TargetType.REGRESSION))
LABELS = tuple(f"a label of some length with the number {i}" for i in range(60_000))

PRELUDE = f"""
import os, socket, struct, sys, time
data, control = (socket.socket(fileno=int(fd)) for fd in sys.argv[1:3])
def send(sock, kind, meta=b"", body=b"", flags=0):
    sock.sendall(struct.pack("<IIQBBH", len(meta), len(body), 0, kind, flags, 0) + meta + body)
READY = {int(FrameKind.READY)}
"""


class Started:
    """A process with its handle, and all that the handle has called."""

    def __init__(self, code: str = "") -> None:
        self.frames: list[Frame] = []
        self.output: list[tuple[str, bytes]] = []
        self.ended = asyncio.Event()
        sockets = Sockets()
        data, control, stdout, stderr = sockets.for_worker()
        what = ["-c", PRELUDE + code] if code else [str(STRANGER)]
        process = subprocess.Popen(
            [sys.executable, *what, str(data), str(control)],
            pass_fds=(data, control),
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        process.returncode = 0
        sockets.close_worker_ends()
        self.worker = WorkerProcess(
            process.pid,
            sockets,
            asyncio.get_running_loop(),
            on_frames=self.frames.extend,
            on_exit=lambda worker: self.ended.set(),
            on_output=lambda stream, data, id: self.output.append((stream, data)),
        )

    async def end(self) -> WorkerCrashed:
        await self.ended.wait()
        return self.worker.crash()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(asyncio.wait_for(scenario(), 30))  # type: ignore[arg-type]
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_worker_gets_ready_answers_and_ends_in_order() -> None:
    async def scenario() -> None:
        started = Started()
        started.worker.initialise(SPEC, {})
        info = await started.worker.wait_ready(20)
        assert info.target == SPEC.target
        started.worker.send(frames.encode(FrameKind.REQUEST, 7, b"{}", b"hello"))
        while not started.frames:
            await asyncio.sleep(0.005)
        assert [(f.kind, f.id, f.body) for f in started.frames] == [(FrameKind.REPLY, 7, b"HELLO")]
        await started.worker.stop(10)
        assert started.worker.exit_code == 0

    run(scenario)


def test_a_spec_larger_than_the_sockets_buffer_arrives_whole() -> None:
    spec = ModelSpec(SPEC.code_dir, "python", Target(TargetType.MULTICLASS, LABELS))
    code = """
import json
time.sleep(0.2)
content = b""
while True:
    head = control.recv(20, socket.MSG_WAITALL)
    meta, body, _, kind, flags, _ = struct.unpack("<IIQBBH", head)
    content += control.recv(meta + body, socket.MSG_WAITALL)
    if not flags & 1:
        break
print(len(json.loads(content)["spec"]["target"]["labels"]), flush=True)
"""

    async def scenario() -> None:
        started = Started(code)
        started.worker.initialise(spec, {})
        await started.end()
        printed = [data for stream, data in started.output if stream == "stdout"]
        assert b"".join(printed) == b"60000\n"

    run(scenario)


def test_a_worker_that_is_never_ready_is_given_up() -> None:
    async def scenario() -> None:
        started = Started("time.sleep(600)")
        with pytest.raises(WorkerStartTimeout, match=r"not ready after 0\.2 s"):
            await started.worker.wait_ready(0.2)
        await started.end()
        assert started.worker.exit_code is not None

    run(scenario)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("send(control, READY, b'{')", "wrote what is no frame"),
        ("send(control, READY, b'{}')", "wrote what is no frame"),
        ("send(control, READY, b'', b'{', 1); send(control, READY, b'', b'}')", "no frame"),
        ("control.sendall(b'x' * 100)", "wrote what is no frame"),
        ("data.sendall(b'x' * 100)", "wrote what is no frame"),
        ("os.abort()", "killed by SIGABRT"),
        ("sys.exit(3)", "exit status 3"),
    ],
)
def test_one_that_breaks_the_protocol_or_ends_says_so(code: str, says: str) -> None:
    async def scenario() -> None:
        started = Started(f"{code}\ntime.sleep(600)")
        with pytest.raises(WorkerCrashed, match=says):
            await started.worker.wait_ready(20)
        await started.end()

    run(scenario)


@pytest.mark.parametrize("ours", [True, False])
def test_a_kill_from_outside_is_told_from_our_own(ours: bool) -> None:
    async def scenario() -> None:
        started = Started("time.sleep(600)")
        if ours:
            started.worker.kill()
        else:
            os.kill(started.worker.pid, signal.SIGKILL)
        crash = await started.end()
        assert crash.facts == {"exit_code": -9, **({} if ours else {"outside": True})}

    run(scenario)


def test_what_it_left_running_in_its_group_ends_with_it() -> None:
    async def scenario() -> None:
        code = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
        started = Started(code)
        await started.end()
        pid = int(b"".join(data for _, data in started.output))
        while _runs(pid):
            await asyncio.sleep(0.005)

    run(scenario)


def _runs(pid: int) -> Any:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_calls_after_the_end_do_nothing() -> None:
    async def scenario() -> None:
        started = Started("pass")
        await started.end()
        worker, sockets = started.worker, Sockets()
        worker.send(b"late")
        worker.interrupt(1)
        worker.attach(sockets.data)
        worker.end_hung()
        worker.kill()
        worker.finish()
        await worker.stop(1)
        sockets.close_worker_ends()
        sockets.close()

    run(scenario)
