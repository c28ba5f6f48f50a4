"""A replica of a model together with its process, and the states of a model."""

from __future__ import annotations

import asyncio
import enum
from typing import Optional

from polyhost.host.memory import MemoryUse
from polyhost.host.process import WorkerProcess
from polyhost.host.replica import Replica


class State(str, enum.Enum):
    """Where a model is in its life."""

    UNLOADED = "unloaded"
    LOADING = "loading"
    READY = "ready"
    DEGRADED = "degraded"
    FAILED = "failed"
    UNLOADING = "unloading"
    STOPPED = "stopped"


class Member(Replica):
    """A replica with the process that is its worker."""

    def __init__(self) -> None:
        super().__init__()
        self.worker: Optional[WorkerProcess] = None
        self.start: Optional[asyncio.Task[None]] = None
        """What brings it up."""
        self.stopping = False
        self.device = 0
        self.memory = MemoryUse()
