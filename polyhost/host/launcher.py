"""Where workers come from: a warm parent that forks them, or a fresh process."""

from __future__ import annotations

import logging
import tempfile
from typing import Any, Dict, Mapping, Optional, Set

from polyhost.bridges import bridge_for
from polyhost.errors import WorkerCrashed
from polyhost.host.sandbox import Sandboxes
from polyhost.host.sockets import Sockets
from polyhost.host.spawn import spawn
from polyhost.host.temp_dirs import TempDirs
from polyhost.host.warm_parent import WarmParent
from polyhost.host.worker_env import worker_environment
from polyhost.predictor import ModelSpec

logger = logging.getLogger(__name__)

NO_SETUP: Mapping[str, Any] = {}


class Launcher:
    """Starts workers for a host; keeps one warm parent for each kind that the bridges name.

    ``mark``: variables for every process that is started here. ``started``: pids of the workers; who
    reaps them takes them out.
    """

    def __init__(self, *, warm: bool = True, mark: Optional[Mapping[str, str]] = None) -> None:
        self.started: Set[int] = set()
        self.sandboxes = Sandboxes()
        """Makes the sandboxes that workers are put in, and knows whose they are."""
        self.temp_dirs = TempDirs()
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
        if not self._warm or self._closed or name is None:
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
        setup: Mapping[str, Any] = NO_SETUP,
    ) -> int:
        """A new worker's pid, over the sockets' worker ends. ``setup``: that of its sandbox."""
        pid = await self._start(spec, python, {**env, **self._mark}, sockets, setup)
        self.started.add(pid)
        return pid

    async def _start(
        self,
        spec: ModelSpec,
        python: Optional[str],
        env: Dict[str, str],
        sockets: Sockets,
        setup: Mapping[str, Any],
    ) -> int:
        parent = self._parent(spec.language) if python is None else None
        if parent is not None:
            pid = await parent.fork(spec, env, sockets, setup)
            if pid is not None:
                return pid
        if self._closed:  # the warm parent ended since all of it ends
            raise WorkerCrashed("the host is ending: it starts no worker any more.")
        return spawn(python, env, sockets, setup=setup)

    def end_parents(self) -> None:
        """End the warm parents, which hold memory; the next worker starts another."""
        for parent in self._parents.values():
            parent.close()
        self._parents.clear()

    def close(self) -> None:
        self._closed = True
        self.end_parents()
        self.sandboxes.close()
        self.temp_dirs.close()


def bridge_environment(language: str) -> Dict[str, str]:
    """What the bridge needs in a process's environment before that process starts."""
    try:
        return bridge_for(language).variables()
    except Exception as error:  # the worker itself reports it, with the install command
        logger.debug("%s: %s", language, error)
        return {}
