"""``polyhost install-drum-command``: a drum that scripts can call, and never in place of the real."""

from __future__ import annotations

import subprocess

import pytest
from support.command import clean_environment

from polyhost import __version__
from polyhost.drum_compat import DRUM_VERSION


@pytest.fixture
def place(tmp_path):
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin" / "drum"


def test_the_command_is_polyhost_by_another_name(polyhost, place, tmp_path):
    for _ in range(2):  # its own is overwritten
        done = polyhost("install-drum-command", "--directory", place.parent)
        assert (done.code, done.out) == (0, f"Installed {place}\n")
    assert f"put {place.parent} first on PATH" in done.err
    run = {"env": clean_environment(tmp_path), "capture_output": True, "text": True}
    version = subprocess.run([place, "--version"], **run, check=True)
    assert version.stdout == f"drum {DRUM_VERSION} (polyhost {__version__})\n"
    wrong = subprocess.run([place, "score"], **run, check=False)
    assert (wrong.returncode, "usage: drum score" in wrong.stderr) == (2, True)


def test_the_real_one_is_not_overwritten(polyhost, place):
    place.write_text("#!/usr/bin/env python\nfrom datarobot_drum.drum.main import main\n")
    before = place.read_bytes()
    done = polyhost("install-drum-command", "--directory", place.parent)
    assert done.code == 1
    assert f"{place} is there and is not polyhost's" in done.err
    assert place.read_bytes() == before
