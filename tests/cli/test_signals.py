"""SIGINT and SIGTERM end ``score`` with 130, whatever the model is doing."""

from __future__ import annotations

import signal
import subprocess
import time

import psutil
import pytest
from support.command import POLYHOST, clean_environment

HANGS = """
import pathlib, subprocess, time

def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    subprocess.Popen(["sleep", "300"])
    pathlib.Path("started").touch()
    while True:
        time.sleep(0.01)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_hanging_score_can_be_stopped_and_leaves_nothing(tmp_path, number):
    (tmp_path / "custom.py").write_text(HANGS, encoding="utf-8")
    (tmp_path / "in.csv").write_text("a\n1\n", encoding="utf-8")
    process = subprocess.Popen(
        [*POLYHOST, "score", "-cd", ".", "--input", "in.csv", "--target-type", "regression"],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < until:
        time.sleep(0.05)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Ctrl+C pressed" in err
    assert not psutil.wait_procs(family, timeout=2)[1]
