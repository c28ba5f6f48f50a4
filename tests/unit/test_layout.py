"""The rooms of the package: docs/architecture.md says what each may import, and these hold it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "polyhost"
PAGE = ROOT / "docs" / "architecture.md"
FOREIGN = "datarobot_drum"
"""DRUM's names for our modules: model code imports them, nothing of ours does."""
FOR_ALL = {"errors", "logs", ""}
"""What every room may import; the last is the package itself: its version."""
EVERYTHING = "everything"
LANGUAGE = "bridges/LANGUAGE"
PARTED = ("bridges", "server")
"""Rooms whose folders are rooms too."""


def documented() -> dict[str, set[str]]:
    """What each room may import, as the page's table says."""
    text = PAGE.read_text(encoding="utf-8").split("## The rooms", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `([^`]+)` \|.*\|([^|]*)\|$", text, re.MULTILINE)
    return {
        room: {EVERYTHING}
        if allowed.strip() == EVERYTHING
        else set(re.findall(r"`(.+?)`", allowed))
        for room, allowed in rows
    }


def modules() -> dict[str, Path]:
    """Our modules by their name below the package; an ``__init__`` has its package's."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if FOREIGN not in parts:
            found[".".join(parts).removesuffix("__init__").rstrip(".")] = path
    return found


MODULES = modules()
ROOMS = documented()


def room_of(module: str) -> str:
    """The room that a module lies in: its top folder or file, or in some a folder of that."""
    top, _, rest = module.partition(".")
    inner = rest.partition(".")[0]
    if top not in PARTED or not inner or not (PACKAGE / top / inner).is_dir():
        return top
    return LANGUAGE if top == "bridges" else f"{top}/{inner}"


def imported(path: Path) -> Iterator[str]:
    """Our modules that a file imports anywhere, with what it takes from them where that is one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports are not used here"
            longer = [f"{node.module}.{alias.name}" for alias in node.names]
            ours = [name for name in longer if name.removeprefix("polyhost.") in MODULES]
            names = ours if len(ours) == len(longer) else [*ours, str(node.module)]
        for name in names:
            if name == "polyhost" or name.startswith("polyhost."):
                yield name.removeprefix("polyhost").removeprefix(".")


def arrows() -> Iterator[tuple[str, str]]:
    """Every import of a module of ours by another, as a pair of names."""
    for module, path in MODULES.items():
        for target in imported(path):
            yield module, target


def is_allowed(module: str, target: str) -> bool:
    room, other = room_of(module), room_of(target)
    allowed = ROOMS.get(room, set())
    if EVERYTHING in allowed or target in allowed or other in FOR_ALL:
        return True
    if room == other == LANGUAGE:
        return module.split(".")[1] == target.split(".")[1]
    return other == room or other in allowed


def test_every_import_is_one_that_the_page_allows():
    """The package's own ``__init__`` re-exports ``polyhost.load`` and is of no room."""
    wrong = {pair for pair in arrows() if pair[0] and not is_allowed(*pair)}
    assert not wrong, f"imports that {PAGE.name} does not allow: {sorted(wrong)}"


def test_no_bridge_imports_another():
    assert not is_allowed("bridges.r.guest", "bridges.julia.runtime")
    assert is_allowed("bridges.r.guest", "bridges.r.api")


def test_every_room_has_a_row():
    rooms = {room_of(module) for module in MODULES if module}
    assert rooms == set(ROOMS)


def test_every_name_in_the_table_exists():
    named = {name.replace("/", ".") for allowed in ROOMS.values() for name in allowed}
    assert named - {EVERYTHING} <= set(MODULES)


def test_the_top_holds_only_what_every_room_needs():
    files = {path.name for path in PACKAGE.glob("*.py")}
    own = {"errors.py", "logs.py", "predictor.py", "settings.py"}
    assert files == own | {"__init__.py", "__main__.py"}


WEB = {"fastapi", "starlette", "uvicorn", "httptools"}
READERS = {"pandas", "pyarrow", "polyhost.formats.csv", "polyhost.formats.arrow"}
RUNTIMES = {"jpype", "rpy2", "julia"}
LANGUAGES = {f"polyhost.bridges.{name}" for name in ("java", "julia", "python", "r")}


@pytest.mark.parametrize(
    ("room", "never"),
    [
        ("polyhost", {"numpy", "yaml", *WEB, *READERS, *RUNTIMES}),
        ("polyhost.worker.main", {"polyhost.host", "polyhost.server", *WEB, *RUNTIMES}),
        ("polyhost.worker.forkserver", {"polyhost.host", "polyhost.server", *WEB, *RUNTIMES}),
        ("polyhost.host.host", {"polyhost.server", *WEB, *READERS, *RUNTIMES, *LANGUAGES}),
        ("polyhost.server.app", {*READERS, *RUNTIMES, *LANGUAGES}),
    ],
)
def test_what_a_room_never_loads(room, never):
    program = f"import {room}, sys; print(*sys.modules, sep=chr(10))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not never & set(done.stdout.splitlines())
