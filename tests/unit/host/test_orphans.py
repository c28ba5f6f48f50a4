"""What is an orphan, and what is not."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from polyhost.host import orphans
from polyhost.host.orphans import NEWBORN, Orphans
from polyhost.wire import linux


@pytest.fixture
def started() -> Iterator[list[int]]:
    pids: list[int] = []
    yield pids
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            continue


def start(started: list[int]) -> int:
    started.append(os.posix_spawn("/bin/sleep", ["sleep", "600"], {}, setpgroup=0))
    return started[-1]


def test_a_worker_that_the_kernels_list_leaves_out_is_no_orphan_later(
    started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of children may lack living ones while others end."""
    found = Orphans()
    worker = start(started)
    workers = {worker}
    with monkeypatch.context() as patched:
        patched.setattr(orphans.linux, "children", lambda pid: [])
        found.clear(workers, 1.0)
    for now in (2.0, 2.0 + NEWBORN + 1):
        assert found.clear(workers, now)
    assert workers == {worker}
    assert linux.parent(worker) == os.getpid()


def test_workers_that_have_ended_are_forgotten_and_the_others_are_ended(started: list[int]) -> None:
    found = Orphans()
    ended, orphan = start(started), start(started)
    os.kill(ended, signal.SIGKILL)
    os.waitpid(ended, 0)
    workers = {ended}
    found.clear(workers, 1.0)
    assert workers == set()
    found.clear(workers, 2.0 + NEWBORN)
    assert os.waitstatus_to_exitcode(os.waitpid(orphan, 0)[1]) == -signal.SIGKILL
    assert linux.parent(orphan) == 0
