from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.deploy import desired_state
from polyhost.deploy.desired_state import DesiredEntry, DesiredState
from polyhost.errors import StateError

SPECIMEN = Path(__file__).parents[2] / "specimens" / "desired-1.json"
STATE = DesiredState(
    {
        "churn": DesiredEntry(
            "churn",
            "s3://models/churn.tar.gz",
            version="7",
            digest="6e453aea3ad8ab67cf4e2ed7d1881694124b6d75d6758a406a112da4892ec719",
            replicas=2,
            settings={"limits.deadline": 30.0, "environment.GRÖSSE": "groß"},
        ),
        "prices": DesiredEntry("prices", "/srv/models/prices"),
    }
)


def test_format_1_is_read_and_written():
    assert desired_state.read(SPECIMEN) == STATE
    assert desired_state.encode(STATE) == SPECIMEN.read_bytes()


def test_no_file_is_an_empty_state(tmp_path):
    assert desired_state.read(tmp_path / "none.json") == DesiredState()


def test_written_and_read_again(tmp_path):
    path = tmp_path / "state.json"
    desired_state.write(path, STATE)
    less = STATE.lacking("churn").having(DesiredEntry("prices", "elsewhere"))
    desired_state.write(path, less)
    assert desired_state.read(path) == less == DesiredState({"prices": less.models["prices"]})
    assert os.listdir(tmp_path) == ["state.json"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        (SPECIMEN.read_text(encoding="utf-8")[:200], "it is damaged or cut short"),
        ("[" * 100_000, "it is damaged or cut short"),
        ('{"models": []}', "it is another program's"),
        ("[]", "it is another program's"),
        ('{"kind": "polyhost desired state", "format": 2, "models": []}', "its format is 2"),
        ('{"kind": "polyhost desired state", "format": 1}', "it has no list of models"),
        (
            '{"kind": "polyhost desired state", "format": 1, "models": [1]}',
            "model 1 is not an object",
        ),
        (SPECIMEN.read_text(encoding="utf-8").replace('"7"', "7"), "version of model 1 is 7"),
        (SPECIMEN.read_text(encoding="utf-8").replace("prices", "churn"), "'churn' is there twice"),
        (SPECIMEN.read_text(encoding="utf-8").replace("replicas", "copies"), "copies, replicas"),
    ],
)
def test_a_file_that_is_not_ours_is_reported_and_kept(tmp_path, text, says):
    path = tmp_path / "state.json"
    path.write_text(text, encoding="utf-8")
    for attempt in (lambda: desired_state.read(path), lambda: desired_state.write(path, STATE)):
        with pytest.raises(StateError) as raised:
            attempt()
        assert says in raised.value.message
        assert str(path) in raised.value.message
    assert path.read_text(encoding="utf-8") == text
    path.rename(tmp_path / "moved away")
    desired_state.write(path, STATE)
    assert desired_state.read(path) == STATE


@given(cut=st.integers(0, len(SPECIMEN.read_bytes()) - 3))
def test_a_file_cut_anywhere_is_refused(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "state.json"
    path.write_bytes(SPECIMEN.read_bytes()[:cut])
    with pytest.raises(StateError):
        desired_state.read(path)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    desired_state.write(path, STATE)

    def fail(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StateError, match="No space left"):
        desired_state.write(path, DesiredState())
    assert desired_state.read(path) == STATE
    assert os.listdir(tmp_path) == ["state.json"]


WRITER = """
import itertools, sys
from pathlib import Path
from polyhost.deploy.desired_state import DesiredEntry, DesiredState, write
for n in itertools.count():
    models = {f"m{i}": DesiredEntry(f"m{i}", "x" * 1000, replicas=n) for i in range(50)}
    write(Path(sys.argv[1]), DesiredState(models))
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path):
    path = tmp_path / "state.json"
    for pause in (0.01, 0.03, 0.05):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        until = time.monotonic() + 60
        before = path.read_bytes() if path.exists() else b""
        while (path.read_bytes() if path.exists() else b"") == before and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(pause)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert len({model.replicas for model in desired_state.read(path).models.values()}) == 1
    desired_state.write(path, STATE)
    assert os.listdir(tmp_path) == ["state.json"]


def test_a_state_that_cannot_be_kept_is_noticed_before_it_is_needed(tmp_path):
    desired_state.check(tmp_path / "state.json")
    assert os.listdir(tmp_path) == []
    with pytest.raises(StateError, match="its folder is missing, or closed to this user"):
        desired_state.check(tmp_path / "none" / "state.json")
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(StateError, match="cannot read desired state"):
        desired_state.check(tmp_path / "state.json")
