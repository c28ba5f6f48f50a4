"""What a worker may take of the machine, and whose it is: decided before it starts.

Memory: a control group where one may be made; the pool watches PSS everywhere. Processor time: a
control group too, else it keeps to as many cores as it may have. Either way its environment says how many
threads make sense.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from polyhost.host import cgroup
from polyhost.host.user import WorkerUser
from polyhost.settings import Limits

logger = logging.getLogger(__name__)

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
CLOSING = 0.5
"""Seconds that the last groups have to become empty."""


@dataclass
class Sandbox:
    """The place of one worker. ``setup``: what the process that becomes it has to do first."""

    setup: Dict[str, Any] = field(default_factory=dict)
    variables: Dict[str, str] = field(default_factory=dict)
    group: Optional[cgroup.Group] = None


class Sandboxes:
    """Makes sandboxes for a host's workers."""

    def __init__(self, account: Optional[WorkerUser] = None) -> None:
        self.user = account
        self._numbers = itertools.count(1)
        self._places: Optional[Dict[str, cgroup.Place]] = None
        self._held: Dict[int, Sandbox] = {}
        self._closing: List[cgroup.Group] = []

    def sandbox(self, name: str, limits: Limits, env: Dict[str, str]) -> Sandbox:
        """A sandbox for a worker of this model that is about to be started with ``env``."""
        sandbox = Sandbox()
        if limits.memory is not None or limits.cpus is not None:
            sandbox.group = self._group(limits)
        if limits.cpus is not None:
            self._share(sandbox, name, limits.cpus, env)
        if self.user is not None:
            sandbox.setup["user"] = self.user.to_wire()
            sandbox.variables.update(self.user.variables)
            os.chown(env["TMPDIR"], self.user.uid, self.user.gid)
        return sandbox

    def _group(self, limits: Limits) -> cgroup.Group:
        if self._places is None:
            self._places = cgroup.find_places()
            cgroup.clear_abandoned(self._places)
        name = f"polyhost-{os.getpid()}-{next(self._numbers)}"
        return cgroup.Group(self._places, name, limits.memory, limits.cpus)

    def _share(self, sandbox: Sandbox, name: str, cpus: float, env: Dict[str, str]) -> None:
        count = math.ceil(cpus)
        if not set(THREADS) & set(env):
            sandbox.variables.update(dict.fromkeys(THREADS, str(count)))
        if sandbox.group is not None and sandbox.group.cpus:
            logger.info("model %s: a control group holds a worker to %g cores", name, cpus)
            return
        cores = sorted(os.sched_getaffinity(0))
        first = next(self._numbers) * count
        sandbox.setup["cores"] = sorted({cores[(first + i) % len(cores)] for i in range(count)})
        logger.warning(
            "model %s: no control group may be made here, so a worker keeps to %d whole core(s), "
            "which others may use too",
            name,
            len(sandbox.setup["cores"]),
        )

    def enter(self, sandbox: Sandbox, pid: int) -> None:
        """Put a newly started worker, which still waits for its model, into its sandbox."""
        self._held[pid] = sandbox
        if sandbox.group is not None:
            try:
                sandbox.group.enter(pid)
            except OSError as error:
                logger.warning("worker %s is in no control group: %s", pid, error)

    def leave(self, pid: int) -> bool:
        """A worker has ended; whether the kernel ended it for its memory."""
        sandbox = self._held.pop(pid, None)
        if sandbox is None or sandbox.group is None:
            return False
        found = sandbox.group.out_of_memory
        self._closing.append(sandbox.group)
        self._close()
        return found

    def drop(self, sandbox: Sandbox) -> None:
        """The worker was never started."""
        if sandbox.group is not None:
            self._closing.append(sandbox.group)
            self._close()

    def _close(self) -> None:
        self._closing = [group for group in self._closing if not group.close()]

    def close(self) -> None:
        """Take all groups away."""
        self._closing.extend(
            sandbox.group for sandbox in self._held.values() if sandbox.group is not None
        )
        self._held.clear()
        until = time.monotonic() + CLOSING
        self._close()
        while self._closing and time.monotonic() < until:
            time.sleep(0.02)
            self._close()
