"""The demo, one language at a time: ``make demo`` runs it whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.command import clean_environment

from polyhost.bridges import BRIDGES

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.py"


@pytest.mark.parametrize(
    "language", [pytest.param(name, marks=pytest.mark.runtime(name)) for name in BRIDGES]
)
def test_every_model_agrees_with_its_own_tool(tmp_path, language):
    done = subprocess.run(
        [sys.executable, str(DEMO), language],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["model", "language", "what", "it", "is", *header.split()[5:]]
    rows = [line for line in lines if "100 %" in line]
    assert len(rows) >= 2
    assert f"{len(rows)} of {len(rows)} models answer as their own tool does" in done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []
