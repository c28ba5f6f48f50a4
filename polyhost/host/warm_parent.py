"""The host's handle on a fork server: a warm parent that workers are forked from."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from typing import Any, Dict, List, Mapping, Optional

from polyhost.host.sockets import Sockets
from polyhost.host.spawn import BOOT
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
