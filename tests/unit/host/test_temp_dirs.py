"""Workers' temporary folders: below one of the host's, which the next host removes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from polyhost.host.temp_dirs import LOCK, RUNNING, TempDirs, clear_abandoned

KILLED = """
import os, signal
from polyhost.host.temp_dirs import TempDirs
place = TempDirs().make()
open(os.path.join(place, "left"), "w").close()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_host_that_ends_leaves_nothing(temporary: Path) -> None:
    dirs = TempDirs()
    first, second = Path(dirs.make()), Path(dirs.make())
    assert first.parent == second.parent
    assert first.parent.parent == temporary
    (first / "file").touch()
    dirs.close()
    assert list(temporary.iterdir()) == []
    dirs.close()


def test_what_a_killed_host_left_is_removed_and_what_another_uses_is_not(temporary: Path) -> None:
    lives = TempDirs()
    kept = Path(lives.make())
    environment = {**os.environ, "TMPDIR": str(temporary)}
    killed = subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = (path for path in temporary.iterdir() if path != kept.parent)
    assert list(left.rglob("left"))
    clear_abandoned(wait=True)
    assert list(temporary.iterdir()) == [kept.parent]
    assert kept.is_dir()
    lives.close()


def test_what_is_not_a_hosts_folder_is_left_alone(temporary: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / LOCK).touch()
    (temporary / f"{RUNNING}link").symlink_to(other)
    (temporary / f"{RUNNING}file").touch()
    (temporary / "polyhost-starting-abc").mkdir()
    before = sorted(temporary.iterdir())
    clear_abandoned(wait=True)
    assert sorted(temporary.iterdir()) == before
    assert (other / LOCK).exists()
