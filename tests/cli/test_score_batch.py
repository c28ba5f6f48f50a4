"""``polyhost score`` on chunks, as a user runs it: exit codes, what is printed, and what kills leave."""

from __future__ import annotations

import json
import pickle
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from sklearn.linear_model import LinearRegression
from support.command import POLYHOST, Command, clean_environment

HOOKS = """
import os, pathlib, time
import pandas as pd

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    print("scoring", len(data))
    if (data["a"] == 666).any():
        raise ValueError("asked to fail")
    if (data["a"] == 667).any():
        os._exit(3)
    gate = pathlib.Path("gate")
    if (data["a"] >= 50).any():
        gate.with_name("reached").touch()
        while gate.exists():
            time.sleep(0.01)
    return pd.DataFrame({"Predictions": data["a"] * model})
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "custom.py").write_text(HOOKS, encoding="utf-8")
    rows = "".join(f"{i}.5,r{i}\n" for i in range(100))
    (tmp_path / "in.csv").write_text("a,id\n" + rows, encoding="utf-8")
    return tmp_path


EXPECTED = "Predictions\n" + "".join(f"{2 * (i + 0.5)}\n" for i in range(100))
SCORE = ["score", "-cd", "hooks", "--target-type", "regression", "--input"]


def chunks(*words: str) -> list[str]:
    return [*SCORE, "in.csv", "--output", "out.csv", "--chunk-rows", "10", *words]


def start(folder: Path, words: list[str]) -> subprocess.Popen[bytes]:
    """The command, as far as the chunk with 50.5, where it waits."""
    (folder / "gate").touch()
    (folder / "reached").unlink(missing_ok=True)
    process = subprocess.Popen(
        [*POLYHOST, *words],
        cwd=folder,
        env=clean_environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 120
    while not (folder / "reached").exists() and time.monotonic() < until:
        time.sleep(0.02)
    return process


def test_what_a_run_says_and_writes(polyhost: Command, folder):
    done = polyhost(*chunks("--passthrough", "id"))
    assert done.code == 0, done.err
    assert done.out.count("scoring ") == 11  # witness rows by themselves, and ten chunks
    assert "polyhost: 10 rows at a time, as --chunk-rows says\n" in done.err
    assert "polyhost: 100 rows, 0 rejected, " in done.err
    lines = (folder / "out.csv").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["Predictions,id", "1.0,r0"]
    before = (folder / "out.csv").read_bytes()
    done = polyhost(*chunks())
    assert (done.code, done.out) == (1, "")
    assert "out.csv is there already. Give --overwrite to replace it." in done.err
    assert (folder / "out.csv").read_bytes() == before
    assert polyhost(*chunks("--overwrite", "--quiet")).err == ""
    assert (folder / "out.csv").read_text(encoding="utf-8") == EXPECTED


def test_hooks_get_the_whole_input_unless_told_otherwise(polyhost: Command, folder):
    done = polyhost(*SCORE, "in.csv", "--output", "-", "--limit", "100")
    assert done.code == 0, done.err
    assert "all of it in one call, since the hook(s) score may look across rows" in done.err
    assert "scoring 100" in done.err  # not where the answers go
    assert done.out == EXPECTED


def test_rows_that_fail_and_that_kill(polyhost: Command, folder):
    text = (folder / "in.csv").read_text(encoding="utf-8")
    text = text.replace("12.5,", "666,").replace("33.5,", "667,")
    (folder / "in.csv").write_text(text, encoding="utf-8")
    done = polyhost(*chunks())
    assert done.code == 1
    assert "in.csv, row 13: " in done.err
    assert "asked to fail" in done.err
    assert not (folder / "out.csv").exists()
    done = polyhost(*chunks("--on-error", "skip", "--workers", "2", "--quiet"))
    assert done.code == 0, done.err
    found = (folder / "out.csv").read_text(encoding="utf-8")
    assert found == EXPECTED.replace("\n25.0\n", "\n").replace("\n67.0\n", "\n")
    rejects = (folder / "out.csv.rejects.csv").read_text(encoding="utf-8").splitlines()
    assert rejects[0] == "input,row,reason,a,id"
    assert [line.split(",")[1] for line in rejects[1:]] == ["13", "34"]
    assert "asked to fail" in rejects[1]
    assert "exit" in rejects[2] or "ended" in rejects[2]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_killed_goes_on_where_it_was(polyhost: Command, folder, number):
    process = start(folder, chunks())
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (-9 if number == signal.SIGKILL else 130), err
    assert not psutil.wait_procs(family, timeout=10)[1]
    if number != signal.SIGKILL:
        assert b"--resume goes on from there" in err
    assert not (folder / "out.csv").exists()
    journal = (folder / "out.csv.polyhost-run" / "journal").read_text(encoding="utf-8")
    assert [json.loads(line)["rows"] for line in journal.splitlines()] == [10] * 5
    (folder / "gate").unlink()
    for left in (folder / "tmp").iterdir():
        assert number == signal.SIGKILL, left
        shutil.rmtree(left)  # nobody was there to remove it
    done = polyhost(*chunks("--resume"))
    assert done.code == 0, done.err
    assert done.out.count("scoring ") == 6
    assert "100 rows (50 of them before)" in done.err
    assert (folder / "out.csv").read_text(encoding="utf-8") == EXPECTED


def test_a_worker_that_is_killed_loses_nothing(folder):
    process = start(folder, chunks("--workers", "2"))
    workers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.ppid() != process.pid or "forkserver" in " ".join(child.cmdline())
    ]
    newest = max(workers, key=lambda child: child.create_time())
    newest.kill()
    (folder / "gate").unlink()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert (folder / "out.csv").read_text(encoding="utf-8") == EXPECTED


def test_a_full_disk_leaves_a_state_to_go_on_from(folder):
    (folder / "long.csv").write_text(
        "a,id\n" + "".join(f"{i % 50}.25,r{i}\n" for i in range(30_000)), encoding="utf-8"
    )
    words = [*SCORE, "long.csv", "--chunk-rows", "5000", "--passthrough", "all", "--quiet"]

    def run(output: str, limit: str, *more: str) -> subprocess.CompletedProcess[str]:
        command = [*POLYHOST, *words, "--output", output, *more]
        return subprocess.run(
            ["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash", *command],
            cwd=folder,
            env={**clean_environment(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("out.csv", "200")  # KiB
    assert done.returncode == 1
    assert "cannot write --output" in done.stderr
    assert "File too large" in done.stderr
    assert "give --resume to go on" in done.stderr
    assert not (folder / "out.csv").exists()
    assert run("out.csv", "unlimited", "--resume").returncode == 0
    assert run("whole.csv", "unlimited").returncode == 0
    assert (folder / "out.csv").read_bytes() == (folder / "whole.csv").read_bytes()


def test_a_sample_shows_columns_and_answers(polyhost: Command, tmp_path):
    model = LinearRegression().fit([[0.0, 1.0], [1.0, 1.0], [2.0, 3.0]], [1.0, 2.0, 3.0])
    model.feature_names_in_ = __import__("numpy").array(["a", "b"], object)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.pkl").write_bytes(pickle.dumps(model))
    (tmp_path / "in.csv").write_text("b,id,a\n1,x,0\n1,y,1\n3,z,2\n", encoding="utf-8")
    words = ["score", "-cd", "model", "--target-type", "regression", "--input"]
    done = polyhost(*words, "in.csv", "--sample", "2")
    assert done.code == 0, done.err
    assert done.out.splitlines()[:7] == [
        "input:",
        "  b: number",
        "  id: not read by the model",
        "  a: number",
        "output:",
        "  Predictions: double",
        "answers to the first 2 row(s):",
    ]
    done = polyhost(*words, "in.csv", "in.csv", "--output", "out.csv")
    assert done.code == 0, done.err
    assert "in chunks, since this model treats each row on its own" in done.err
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 7
    (tmp_path / "in.csv").write_text("id,a\nx,0\n", encoding="utf-8")
    done = polyhost(*words, "in.csv", "in.csv", "--output", "new.csv")
    assert done.code == 1
    assert "in.csv: column(s) 'b' are missing" in done.err
    assert not (tmp_path / "new.csv").exists()


def test_a_reader_that_goes_away_and_flags_that_cannot_be(folder):
    words = " ".join([*POLYHOST, *SCORE, "in.csv", "--output", "-", "--chunk-rows", "1", "--quiet"])
    done = subprocess.run(
        ["bash", "-c", f"{words} | head -1; exit ${{PIPESTATUS[0]}}"],
        cwd=folder,
        env=clean_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (141, "Predictions\n"), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["in.csv", "in.csv"], "--output is needed"),
        (["in.csv", "--output", "-", "--resume"], "--resume needs an --output"),
        (["in.csv", "--output", "-", "--on-error", "skip"], "needs --rejects"),
        (["in.csv", "--output", "o.csv", "--chunk-rows", "0"], "expected a whole number"),
        (["no*.csv", "--output", "o.csv"], "no file matches"),
    ],
)
def test_flags_that_cannot_be(polyhost: Command, folder, words, says):
    done = polyhost(*SCORE, *words)
    assert done.code == (1 if "matches" in says else 2)
    assert says in done.err
    assert not (folder / "o.csv").exists()
