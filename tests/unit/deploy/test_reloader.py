"""When the configuration is read again: a reading that fails is never the last one."""

from __future__ import annotations

import asyncio

import pytest

from polyhost.deploy.reloader import LOOK, Reloader
from polyhost.errors import SettingsError


class Deployment:
    """Fails as told, in reading or in applying."""

    def __init__(self, reads=(), applies=()):
        self.reads, self.applies = list(reads), list(applies)
        self.done = []

    async def read(self):
        self.done.append("read")
        if self.reads:
            raise self.reads.pop(0)
        return self

    async def apply(self, loaded):
        self.done.append("apply")
        if self.applies:
            raise self.applies.pop(0)

    def let_go(self):
        self.done.append("let go")


FAILURES = [SettingsError("wrong"), PermissionError(13, "closed"), KeyError("a defect")]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["reads", "applies"])
def test_a_failure_is_logged_and_the_next_reading_comes(where, failure, caplog, tmp_path):
    deployment = Deployment(**{where: [failure]})

    async def work():
        reloader = Reloader(deployment, [tmp_path / "polyhost.yaml"])
        for _ in range(2):
            reloader.ask()
            for _ in range(10):
                await asyncio.sleep(0)

    asyncio.run(work())
    middle = [] if where == "reads" else ["apply"]
    assert deployment.done == ["read", *middle, "read", "apply"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_file_that_changes_is_read_once(tmp_path):
    path = tmp_path / "polyhost.yaml"
    path.write_text("a")
    deployment = Deployment()
    steps = [
        (lambda: None, 0),
        (lambda: path.write_text("abc"), 1),
        (lambda: None, 1),
        (path.unlink, 1),  # as an editor may do before it writes
        (lambda: path.write_text("abcd"), 2),
    ]

    async def work():
        reloader = Reloader(deployment, [path])
        for number, (change, reads) in enumerate(steps, 1):
            change()
            reloader.sweep(1e9 + 2 * LOOK * number)
            for _ in range(10):
                await asyncio.sleep(0)
            assert deployment.done.count("read") == reads

    asyncio.run(work())
