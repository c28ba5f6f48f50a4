"""Where workers come from: a warm parent that forks them, or a fresh process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
from typing import Any, Dict, List, Mapping, Optional, Set

from polyhost.bridges import bridge_for
from polyhost.errors import WorkerCrashed
from polyhost.host.process import BOOT, Sockets, spawn
from polyhost.host.sandbox import Confiner
from polyhost.host.worker_env import worker_environment
from polyhost.predictor import ModelSpec
from polyhost.wire import descriptors
from polyhost.wire.messages import spec_to_wire
from polyhost.worker.forkserver import MAX_COMMAND, WARM_ENVIRONMENT

log = logging.getLogger(__name__)

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
NO_BIRTH: Mapping[str, Any] = {}
START_LIMIT = 120.0
FORK_LIMIT = 60.0


class WarmParent:
    """A fork server process and the socket to it. Commands go one at a time."""

    def __init__(self, name: str, language: str, env: Mapping[str, str]) -> None:
        self.name = name
        self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock.setblocking(False)
        self._lock = asyncio.Lock()
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
        self, spec: ModelSpec, env: Dict[str, str], sockets: Sockets, birth: Mapping[str, Any]
    ) -> Optional[int]:
        """A worker's pid; None when this parent can't fork one, with the reason logged."""
        async with self._lock:
            try:
                if not self._ready and not await self._wait_ready():
                    return None
                command = {"cmd": "fork", "spec": spec_to_wire(spec), "env": env, "birth": birth}
                answer = await self._ask(command, sockets.for_worker())
            except (OSError, asyncio.TimeoutError, ValueError) as error:
                log.warning("warm parent %s failed: %s; spawning instead", self.name, error)
                self.close()
                return None
        if "pid" in answer:
            return int(answer["pid"])
        log.warning("warm parent %s: %s; spawning instead", self.name, answer.get("refused"))
        return None

    async def _wait_ready(self) -> bool:
        answer = await asyncio.wait_for(self._receive(), START_LIMIT)
        self._ready = "ready" in answer
        self.threads = int(answer.get("threads", 1))
        if not self._ready:
            log.warning("warm parent %s: %s; spawning instead", self.name, answer.get("refused"))
        return self._ready

    async def _ask(self, command: Dict[str, Any], fds: List[int]) -> Dict[str, Any]:
        data = json.dumps(command).encode()
        if len(data) > MAX_COMMAND:
            raise ValueError(f"a fork command of {len(data)} bytes")
        descriptors.send(self._sock, data, fds)
        return await asyncio.wait_for(self._receive(), FORK_LIMIT)

    async def _receive(self) -> Dict[str, Any]:
        data = await asyncio.get_running_loop().sock_recv(self._sock, MAX_COMMAND)
        if not data:
            raise ConnectionError("it ended")
        answer = json.loads(data)
        assert isinstance(answer, dict)
        return answer

    def close(self) -> None:
        """End the parent; its workers are the host's own and live on."""
        self._sock.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


class Nursery:
    """Starts workers for a host; keeps one warm parent for each kind that the bridges name.

    ``mark``: variables for every process that is started here. ``born``: pids of the workers; who
    reaps them takes them out.
    """

    def __init__(self, *, warm: bool = True, mark: Optional[Mapping[str, str]] = None) -> None:
        self.born: Set[int] = set()
        self.confiner = Confiner()
        """Makes the cells that workers are put in, and knows whose they are."""
        self._warm = warm
        self._mark = dict(mark or {})
        self._parents: Dict[str, WarmParent] = {}
        self._closed = False

    def prepare(self, language: str) -> None:
        """Start the warm parent of a language early, so that it is ready when a model comes."""
        self._parent(language)

    def _parent(self, language: str) -> Optional[WarmParent]:
        bridge = bridge_for(language)
        name = bridge.warm_parent
        if not self._warm or name is None:
            return None
        parent = self._parents.get(name)
        if parent is not None and parent.alive:
            return parent
        if parent is not None:
            parent.close()
        # Whatever else we hold, no worker is to find it in /proc/self/environ.
        extra = {**bridge_environment(language), **self._mark}
        env = worker_environment(False, extra, tempfile.gettempdir())
        self._parents[name] = WarmParent(name, language, env)
        return self._parents[name]

    async def start(
        self,
        spec: ModelSpec,
        python: Optional[str],
        env: Dict[str, str],
        sockets: Sockets,
        birth: Mapping[str, Any] = NO_BIRTH,
    ) -> int:
        """A new worker's pid, over the sockets' worker ends. ``birth``: that of its cell."""
        pid = await self._start(spec, python, {**env, **self._mark}, sockets, birth)
        self.born.add(pid)
        return pid

    async def _start(
        self,
        spec: ModelSpec,
        python: Optional[str],
        env: Dict[str, str],
        sockets: Sockets,
        birth: Mapping[str, Any],
    ) -> int:
        parent = self._parent(spec.language) if python is None else None
        if parent is not None:
            pid = await parent.fork(spec, env, sockets, birth)
            if pid is not None:
                return pid
        if self._closed:  # the warm parent ended since all of it ends
            raise WorkerCrashed("the host is ending: it starts no worker any more.")
        return spawn(python, env, sockets, birth=birth)

    def close(self) -> None:
        self._closed = True
        for parent in self._parents.values():
            parent.close()
        self._parents.clear()
        self.confiner.close()


def bridge_environment(language: str) -> Dict[str, str]:
    """What the bridge needs in a process's environment before that process starts."""
    bridge = bridge_for(language)
    try:
        module = bridge.load()
    except Exception as error:  # the worker itself reports it, with the install command
        log.debug("%s: %s", language, error)
        return {}
    environment = getattr(module, "environment", None)
    return {} if environment is None else dict(environment())
