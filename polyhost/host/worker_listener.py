"""What a pool reports of its workers to whoever hands them on to further fronts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Protocol

from polyhost.errors import WorkerCrashed
from polyhost.host.balance import Cost
from polyhost.host.process import WorkerProcess
from polyhost.host.shared_counts import SharedCount

if TYPE_CHECKING:
    from polyhost.host.pool import Pool


class WorkerListener(Protocol):
    """Who hands a pool's workers to further fronts."""

    def pool_made(self, pool: Pool) -> Optional[SharedCount]:
        """A pool begins; the number of its waiting requests that all processes keep together."""
        ...

    def pool_ended(self, pool: Pool) -> None:
        """A pool has stopped: what fronts still hold for it fails."""
        ...

    def worker_up(self, pool: Pool, worker: WorkerProcess) -> None:
        """A worker is ready."""
        ...

    def cost_changed(self, pool: Pool, cost: Cost) -> None:
        """Workers have reported what their calls take."""
        ...

    def worker_down(self, pool: Pool, worker: WorkerProcess, crash: WorkerCrashed) -> None:
        """A worker has ended, or takes no more requests."""
        ...

    async def drain(self, pool: Pool) -> None:
        """Return when no front has a request for this pool any more."""
        ...

    async def retire(self, worker: WorkerProcess) -> None:
        """Have no front send to this worker; return when none waits for it."""
        ...
