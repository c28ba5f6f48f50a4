"""Output that cannot be written: no traceback, an exit code that says so, and no good file lost."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.command import POLYHOST, clean_environment

CUSTOM = """
import pandas as pd

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["a"] * model})

def score_unstructured(model, data, **kwargs):
    return "x" * 300_000

def fit(X, y, output_dir, **kwargs):
    open(output_dir + "/model.pkl", "wb").close()
"""
SCORE = ["score", "-cd", "model", "--input", "in.csv", "--target-type"]
FIT = ["fit", "-cd", "model", "--input", "in.csv", "--target", "b", "--target-type", "regression"]
COMMANDS = {
    "help": ["--help"],
    "help of a command": ["serve", "--help"],
    "version": ["--version"],
    "no command": [],
    "score": [*SCORE, "regression"],
    "score, much": [*SCORE, "unstructured"],
    "fit": [*FIT, "--skip-predict"],
    "validation": ["validation", *SCORE[1:], "regression"],
    "config": ["config", "show", "polyhost.yaml"],
    "doctor": ["doctor", "--language", "python"],
    "reports": ["reports", "--folder", "."],
    "key": ["key", "new"],
    "new": ["new", "model", "-cd", "new", "--language", "python"],
    "install-drum-command": ["install-drum-command", "--directory", "."],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "custom.py").write_text(CUSTOM, encoding="utf-8")
    (tmp_path / "in.csv").write_text("a,b\n1,1\n2.5,1\n", encoding="utf-8")
    config = "models: {m: {path: model, target: regression}}\n"
    (tmp_path / "polyhost.yaml").write_text(config, encoding="utf-8")
    return tmp_path


def run(folder, words, shell):
    """Exit code and standard error of a command with a redirection."""
    done = subprocess.run(
        ["bash", "-c", f'"$@" {shell}', "bash", *POLYHOST, *words],
        cwd=folder,
        env=clean_environment(folder),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert not list((folder / "tmp").iterdir())
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_standard_output_that_is_full(folder, name):
    code, err = run(folder, COMMANDS[name], ">/dev/full")
    assert code == 1
    assert "No space left on device" in err
    assert "Traceback" not in err
    assert "Exception ignored" not in err


@pytest.mark.parametrize("name", COMMANDS)
def test_standard_output_that_is_closed(folder, name):
    code, err = run(folder, COMMANDS[name], ">&-")
    assert code == 1
    assert "Bad file descriptor" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("name", COMMANDS)
def test_standard_output_that_nobody_reads(folder, name):
    """The reader is gone before the command prints."""
    gone = f"{sys.executable} -c 'import os; r, w = os.pipe(); os.close(r); os.dup2(w, 1)"
    gone += '; import sys; os.execvp(sys.argv[1], sys.argv[1:])\' "$@" #'
    done = subprocess.run(
        ["bash", "-c", gone, "bash", *POLYHOST, *COMMANDS[name]],
        cwd=folder,
        env=clean_environment(folder),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == (1 if name == "no command" else 141)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_closed_streams_keep_no_command_from_its_work(folder):
    code, _ = run(folder, [*SCORE, "regression", "--output", "out.csv"], "<&- >&- 2>&-")
    assert code == 0
    assert (folder / "out.csv").read_text(encoding="utf-8") == "Predictions\n2.0\n5.0\n"
    assert run(folder, ["score", "-cd", "none", "--input", "in.csv"], "2>&-")[0] == 2
    assert run(folder, [*SCORE, "binary"], "2>/dev/full")[0] == 1


@pytest.mark.parametrize("output", ["out.csv", "link.csv"])
def test_a_full_disk_keeps_the_good_file(folder, output):
    good = folder / "out.csv"
    good.write_text("good\n" * 10, encoding="utf-8")
    (folder / "link.csv").symlink_to("out.csv")
    before = sorted(os.listdir(folder))
    words = [*SCORE, "unstructured", "--output", output, "--overwrite"]
    # A limit of a file's size stands for the disk: 100 KiB.
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 100; exec "$@"', "bash", *POLYHOST, *words],
        cwd=folder,
        env={**clean_environment(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"cannot write --output {folder / output}: File too large" in done.stderr
    assert good.read_text(encoding="utf-8") == "good\n" * 10
    assert [name for name in sorted(os.listdir(folder)) if name != "tmp"] == before


def test_a_model_that_fails_keeps_the_good_file(folder, polyhost):
    (folder / "out.csv").write_text("good\n", encoding="utf-8")
    (folder / "in.csv").write_text("b\n1\n", encoding="utf-8")
    assert polyhost(*SCORE, "regression", "--output", "out.csv").code == 1
    assert (folder / "out.csv").read_text(encoding="utf-8") == "good\n"
