"""The host's handle on a fork server: a warm parent that workers are forked from."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from typing import Any, Dict, Mapping, Optional

from polyhost.errors import WorkerCrashed
from polyhost.host.sockets import Sockets
from polyhost.host.spawn import BOOT
from polyhost.predictor import ModelSpec
from polyhost.wire import descriptors
from polyhost.wire.messages import spec_to_wire
from polyhost.worker.forkserver import MAX_PACKET, WARM_ENVIRONMENT

logger = logging.getLogger(__name__)

PRELOAD = [
    "numpy",
    "pandas",
    "pyarrow",
    "orjson",
    "threadpoolctl",
    "polyhost.pipeline.pipeline",
    "polyhost.codecs.drum",
    "polyhost.codecs.native",
    "polyhost.worker.main",
    "polyhost.worker.loop",
]
"""What every worker of ours imports: done once, in the warm parent."""
START_LIMIT = 120.0
FORK_LIMIT = 60.0


class ForkLost(WorkerCrashed):
    """A fork server ended, or fell silent, after it had a command: its worker may be there, with
    these sockets. Another start needs others."""


class _Command:
    """One fork that was asked for; ``wanted`` until who asked has gone."""

    def __init__(self, number: int, content: Dict[str, Any], sockets: Sockets) -> None:
        self.number = number
        self.content = content
        self.sockets = sockets
        self.wanted = True


class WarmParent:
    """A fork server process and the socket to it. Commands go one at a time, each with a number."""

    def __init__(self, name: str, language: str, env: Mapping[str, str]) -> None:
        self.name = name
        self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock.setblocking(False)
        self._lock = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._ready = False
        self.threads = 1
        arguments = {
            "fd": theirs.fileno(),
            "preload": PRELOAD,
            "language": language,
            "host": os.getpid(),
        }
        self._process = subprocess.Popen(
            [sys.executable, str(BOOT), "polyhost.worker.forkserver", json.dumps(arguments)],
            stdin=subprocess.DEVNULL,
            env={**env, **WARM_ENVIRONMENT},
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    async def fork(
        self, spec: ModelSpec, env: Dict[str, str], sockets: Sockets, setup: Mapping[str, Any]
    ) -> Optional[int]:
        """A worker's pid; None when this parent can't fork one, with the reason logged.

        ForkLost when it failed with the command in its hands. Who is cancelled gets no worker: one
        that is forked all the same is ended.
        """
        content = {"cmd": "fork", "spec": spec_to_wire(spec), "env": env, "setup": setup}
        command = _Command(next(self._numbers), content, sockets)
        task = asyncio.get_running_loop().create_task(self._run(command))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            command.wanted = False
            task.add_done_callback(_end_unwanted)
            raise

    async def _run(self, command: _Command) -> Optional[int]:
        async with self._lock:
            if not command.wanted or not await self._wait_ready():
                return None
            try:
                self._send(command)
            except OSError as error:
                logger.warning("warm parent %s: %s; spawning instead", self.name, error)
                return None
            try:
                answer = await asyncio.wait_for(self._answer(command.number), FORK_LIMIT)
            except (OSError, asyncio.TimeoutError, ValueError) as error:
                logger.warning("warm parent %s failed: %s; it is replaced", self.name, _text(error))
                self.close()
                raise ForkLost(
                    f"the fork server of {self.name} failed: {_text(error)}", exit_code=0
                ) from None
        if "pid" in answer:
            return int(answer["pid"])
        logger.warning("warm parent %s: %s; spawning instead", self.name, answer.get("refused"))
        return None

    async def _wait_ready(self) -> bool:
        """Wait until it has imported what it warms; False when it cannot be used."""
        if self._ready:
            return True
        try:
            answer = await asyncio.wait_for(self._receive(), START_LIMIT)
        except (OSError, asyncio.TimeoutError, ValueError) as error:
            logger.warning("warm parent %s failed: %s; spawning instead", self.name, _text(error))
            self.close()
            return False
        self._ready = "ready" in answer
        self.threads = int(answer.get("threads", 1))
        if not self._ready:
            logger.warning("warm parent %s: %s; spawning instead", self.name, answer.get("refused"))
        return self._ready

    def _send(self, command: _Command) -> None:
        """Send the number; what to do is in a file, since a packet holds so much and no more."""
        if not command.wanted:
            raise OSError("nobody waits for this worker any more")
        with os.fdopen(os.memfd_create("polyhost-fork", os.MFD_CLOEXEC), "wb+") as file:
            file.write(json.dumps(command.content).encode())
            file.flush()
            fds = [file.fileno(), *command.sockets.for_worker()]
            descriptors.send(self._sock, json.dumps({"number": command.number}).encode(), fds)

    async def _answer(self, number: int) -> Dict[str, Any]:
        """The answer to a command. One to another has nobody that waits for it."""
        while True:
            answer = await self._receive()
            if answer.get("number") == number:
                return answer
            logger.warning("warm parent %s: an answer that nobody waits for: %s", self.name, answer)
            if "pid" in answer:
                end_process(int(answer["pid"]))

    async def _receive(self) -> Dict[str, Any]:
        data = await asyncio.get_running_loop().sock_recv(self._sock, MAX_PACKET)
        if not data:
            raise ConnectionError("it ended")
        answer = json.loads(data)
        if not isinstance(answer, dict):
            raise ValueError(f"it sent {data[:200]!r}")
        return answer

    def close(self) -> None:
        """End the parent; its workers are the host's own and live on."""
        self._sock.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _end_unwanted(task: asyncio.Task[Optional[int]]) -> None:
    """End the worker of a command whose caller has gone."""
    if task.cancelled() or task.exception() is not None:
        return
    pid = task.result()
    if pid is not None:
        end_process(pid)


def end_process(pid: int) -> None:
    """Kill a child of ours that is nobody's worker, and reap it when it has ended."""
    loop = asyncio.get_running_loop()
    try:
        pidfd = os.pidfd_open(pid)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return

    def on_end() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            return  # the look for orphans came first

    loop.add_reader(pidfd, on_end)
