"""Which tests share a process under pytest-xdist, and which begin first.

A group runs in one process, so that what costs time is started once: a language's runtime, a server
with all its scenarios. Long groups go first, so that no process is left with one at the end.
pytest-xdist's own groups, by mark, have no effect with pytest 9.2.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from polyhost.bridges import BRIDGES

BY_LANGUAGE = ("conformance", "differential", "faults")
"""Folders whose tests of one language make a group."""

WHOLE = ("tracking",)
"""Folders whose tests are one group: they share a server."""

FIRST = (
    "conformance",
    "faults",
    "unit/bridges",
    "differential",
    "packaging",
    "tracking",
    "server",
    "examples",
    "cli",
    "dropin_envs",
)
"""Folders whose groups begin first, in this order; then all others."""


def group_of(node: str) -> str:
    """The group of a test, by its id: its file's, or that of its language where one is shared."""
    path = node.split("::")[0].removeprefix("tests/")
    folder = path.split("/")[0]
    if folder in WHOLE:
        return folder
    if folder in BY_LANGUAGE:
        return f"{folder} {_language_of_case(node) or _language_of_file(path)}"
    language = _language_of_file(path)
    if path.startswith("unit/bridges/") and language != "python":
        return f"bridges {language}"
    return path


def rank(node: str) -> int:
    """Where a test's group stands in the order of beginning."""
    path = node.removeprefix("tests/")
    found = [place for place, folder in enumerate(FIRST) if path.startswith(f"{folder}/")]
    return found[0] if found else len(FIRST)


def _language_of_case(node: str) -> str:
    """The last parameter that is a language's name: ``test_x[score-r]`` is of R."""
    words = re.split(r"[\[\]-]", node.partition("[")[2])
    return next((word for word in reversed(words) if word in BRIDGES), "")


def _language_of_file(path: str) -> str:
    words = re.split(r"[/_.]", path)
    return next((word for word in words if word in BRIDGES), "python")


def scheduler(config: pytest.Config, log: object) -> Any:
    """What gives out whole groups to the processes, in the order of the tests."""
    from xdist.scheduler import LoadScopeScheduling  # there only where -n is

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False  # else groups of many tests begin first
    return Groups(config, log)
