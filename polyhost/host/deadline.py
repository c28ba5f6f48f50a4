"""The time that a model has for a request, and what happens to a worker that takes longer."""

from __future__ import annotations

from typing import Optional

from polyhost.errors import WorkerTimeout
from polyhost.host.replica import Link, Replica
from polyhost.host.request import Pending, fail

SERIAL_WINDOW = 2
"""Requests that a worker without batching may hold: one that runs and one that waits."""

INTERRUPT_GRACE = 0.5
"""Seconds that a worker has to answer once it was interrupted."""


class Deadline:
    """Judges the replicas of one model: interrupts what is late, and ends what cannot be."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds

    def error(self) -> WorkerTimeout:
        """What a late request gets."""
        return WorkerTimeout(
            f"model {self.name!r} did not answer within its deadline of {self.seconds:g} s: "
            "the work was stopped. Raise --deadline if it needs longer.",
            deadline=self.seconds,
        )

    def judge(self, replica: Replica, now: float, calls: int, window: int) -> None:
        """Look at one that may be busy with ``calls`` calls, and hold ``window`` requests.

        A stream has the deadline for each chunk, while its reader keeps up.
        """
        link = replica.link
        if not replica.inflight or link is None:
            return
        if calls > 1:
            self._judge_calls(replica, link, now)
            return
        head = next(iter(replica.inflight.values()))
        if replica.begins and head.id not in replica.begun:
            return  # another front's requests run there
        since, stream = max(head.sent, replica.progress), head.stream
        if stream is not None:
            since = now if stream.behind else max(since, stream.read_at)
        if now - since <= self.seconds:
            return
        if replica.interrupted is None:
            replica.interrupted = now
            link.interrupt(head.id)
        elif now - replica.interrupted > INTERRUPT_GRACE and not replica.timed_out:
            replica.timed_out = True
            link.end_hung()
            if _runs_alone(replica, head, window):
                replica.hung.add(head.id)
                fail(head, self.error())

    def _judge_calls(self, replica: Replica, link: Link, now: float) -> None:
        """The same where several run at once: each is judged, and interrupted, by itself.

        One that cannot be interrupted keeps its place while others run; then the worker is ended.
        """
        late, hung = replica.late, replica.hung
        hung.intersection_update(replica.inflight)
        for id in late.keys() - replica.inflight.keys():
            del late[id]
        for pending in tuple(replica.inflight.values()):
            id, since = pending.id, _alive_since(replica, pending, now)
            if since is None or now - since <= self.seconds:
                late.pop(id, None)
            elif id not in late:
                late[id] = now
                link.interrupt(id)
            elif now - late[id] > INTERRUPT_GRACE and id not in hung:
                hung.add(id)
                fail(pending, self.error())
        if hung and hung.issuperset(replica.inflight):
            replica.timed_out = True
            link.end_hung()


def _runs_alone(replica: Replica, head: Pending, window: int) -> bool:
    """True where it is known that no other request shares its call."""
    if replica.begins:
        return list(replica.begun) == [head.id]
    return window <= SERIAL_WINDOW or head.solo or len(replica.inflight) == 1


def _alive_since(replica: Replica, pending: Pending, now: float) -> Optional[float]:
    """When a request last showed that it is worked on; None while it has not begun."""
    since = replica.begun.get(pending.id) if replica.begins else pending.sent
    stream = pending.stream
    if stream is None or since is None:
        return since
    return now if stream.behind else max(stream.told_at, stream.read_at)
