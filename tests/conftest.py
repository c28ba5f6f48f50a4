"""What every test may use: runtimes that may be missing, the command, and servers on real sockets.

A test marked ``runtime("r")`` needs that language: it is skipped where ``polyhost doctor`` finds
it unusable, and fails there when CI is set. ``POLYHOST_TEST_RUNTIME=r`` keeps the tests of that
language only (``make test RUNTIME=r``). With ``-n 2`` (pytest-xdist) what shares a runtime or a server runs
in one process: see support/groups.py.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from polyhost.bridges import BRIDGES
from polyhost.bridges.doctor import Finding, examine

sys.path.insert(0, str(Path(__file__).parent))

from support.command import Command
from support.groups import rank, scheduler
from support.served import Served

hypothesis.settings.register_profile("polyhost", deadline=None)
hypothesis.settings.load_profile("polyhost")  # a busy machine is no failure

ONLY = os.environ.get("POLYHOST_TEST_RUNTIME", "")
HOME_LANGUAGE = "python"
"""Tests that are of no language in particular run with this one."""

_findings: dict[str, list[Finding]] = {}


def pytest_configure(config: pytest.Config) -> None:
    # A runner in the background is started with SIGINT ignored, and what tests start inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "runtime(language): needs that language's runtime")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if ONLY:
        others = [item for item in items if ONLY not in languages_of(item)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if ONLY in languages_of(item)]
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """What gives out tests with ``-n``: in groups that share a runtime or a server."""
    return scheduler(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("runtime"):
        require_runtime(mark.args[0])


def languages_of(item: pytest.Item) -> set[str]:
    """Languages that a test is of: by its mark, or by a file named like one."""
    marked = {mark.args[0] for mark in item.iter_markers("runtime")}
    named = set(re.findall(r"[a-z0-9]+", item.path.stem)) & set(BRIDGES)
    return marked or named or {HOME_LANGUAGE}


def require_runtime(language: str) -> None:
    """Skip the test, or fail it when CI is set, where a language is not usable."""
    if not _findings:
        _findings.update(examine(BRIDGES))
    missing = [finding for finding in _findings[language] if not finding.ok]
    if not missing:
        return
    reason = "; ".join(f"{f.what}: {f.found} (fix: {f.fix})" for f in missing)
    if os.environ.get("CI"):
        pytest.fail(f"{language} is not usable, and CI is set: {reason}", pytrace=False)
    pytest.skip(f"{language} is not usable here: {reason}")


@pytest.fixture
def polyhost(tmp_path: Path) -> Command:
    """The ``polyhost`` command: call it with its arguments."""
    return Command(tmp_path)


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Starts ``polyhost serve`` (or another command) on a free port; stopped after the test."""
    started: list[Served] = []

    def start(*arguments: object, **options: object) -> Served:
        server = Served.start(tmp_path_factory.mktemp("server"), *arguments, **options)
        started.append(server)
        return server

    yield start
    for server in reversed(started):
        server.stop()
