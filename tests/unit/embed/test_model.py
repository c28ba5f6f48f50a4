from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import psutil
import pytest

import polyhost as package
from polyhost.data.payload import Table
from polyhost.data.target import TargetType
from polyhost.embed import model as loaded
from polyhost.embed import worker_model
from polyhost.errors import CodeDirError, LoadError, ModelError, SettingsError, WorkerCrashed
from polyhost.predictor import Reply

STRUCTURED = """
import os
import pandas as pd

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    if data["a"].iloc[0] == 666:
        os._exit(3)
    if data["a"].iloc[0] == 13:
        raise ValueError("score went wrong")
    return pd.DataFrame({"Predictions": data["a"] * model, "note": "n" + data["name"]})
"""

UNSTRUCTURED = """
def load_model(code_dir):
    return 1

def score_unstructured(model, data, query, **kwargs):
    if isinstance(data, bytes):
        return data[::-1]
    return data.upper() + query.get("end", "")
"""

FRAME = pd.DataFrame({"a": [1.0, 2.5], "name": ["ann", "bob"]})
EXPECTED = pd.DataFrame({"Predictions": [2.0, 5.0], "note": ["nann", "nbob"]}, dtype=object)

both_ways = pytest.mark.parametrize("in_process", [True, False])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "custom.py").write_text(STRUCTURED, encoding="utf-8")
    return tmp_path


@pytest.fixture(autouse=True)
def nothing_left():
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    yield
    after = {process.pid for process in psutil.Process().children(recursive=True)}
    assert after <= before
    assert not [t for t in threading.enumerate() if t.name == "polyhost"]


@both_ways
def test_a_frame_a_table_and_csv_are_predicted_alike(folder, in_process):
    table = Table(["a", "name"], [np.array([1.0, 2.5]), np.array(["ann", "bob"], dtype=object)])
    with package.load(folder, target_type="regression", in_process=in_process) as model:
        assert model.info.language == "python"
        assert model.info.target.type is TargetType.REGRESSION
        for rows in (FRAME, table, b"a,name\n1,ann\n2.5,bob\n"):
            pd.testing.assert_frame_equal(model.predict(rows).astype(object), EXPECTED)


@both_ways
def test_many_rows_come_back_whole(folder, in_process):
    rows = 300_000
    frame = pd.DataFrame({"a": np.arange(rows) / 4, "name": "x"})
    with package.load(folder, target_type="regression", in_process=in_process) as model:
        answer = model.predict(frame)
    np.testing.assert_array_equal(answer["Predictions"], np.arange(rows) / 2)


@both_ways
def test_text_and_bytes_are_answered(tmp_path, in_process):
    (tmp_path / "custom.py").write_text(UNSTRUCTURED, encoding="utf-8")
    with package.load(tmp_path, target_type="unstructured", in_process=in_process) as model:
        assert model.answer("abc", query={"end": "!"}) == Reply("ABC!", "text/plain", "utf-8")
        assert model.answer(b"\x00\xff") == Reply(b"\xff\x00", "application/octet-stream", None)


@both_ways
def test_an_error_of_the_model_keeps_its_native_type(folder, in_process):
    with package.load(folder, target_type="regression", in_process=in_process) as model:
        with pytest.raises(ModelError, match="score went wrong") as raised:
            model.predict(b"a,name\n13,x\n")
        assert raised.value.native_type == "ValueError"
        assert len(model.predict(FRAME)) == 2


def test_a_model_that_exits_leaves_the_program_alone(folder):
    with package.load(folder, target_type="regression") as model, pytest.raises(WorkerCrashed):
        model.predict(b"a,name\n666,x\n")


@both_ways
def test_a_model_that_cannot_be_loaded(tmp_path, in_process):
    (tmp_path / "custom.py").write_text("import nonsuch_module\n", encoding="utf-8")
    with pytest.raises(LoadError, match="nonsuch_module"):
        package.load(tmp_path, target_type="regression", in_process=in_process)


def test_two_models_share_one_host(folder):
    first = package.load(folder, target_type="regression")
    second = package.load(folder, target_type="regression")
    assert len(worker_model._open) == 2
    first.close()
    assert len(second.predict(FRAME)) == 2
    second.close()
    second.close()


def test_what_cannot_be_predicted(folder):
    model = package.load(folder, target_type="regression", in_process=True)
    with model, pytest.raises(SettingsError, match="cannot predict a list"):
        model.predict([[1, 2]])


def test_settings_that_cannot_stand(folder):
    with pytest.raises(SettingsError, match="need each other"):
        package.load(folder, target_type="binary", positive_class_label="yes")
    with pytest.raises(SettingsError, match="Target type is missing"):
        package.load(folder)
    with pytest.raises(SettingsError, match="needs a worker"):
        package.load(folder, target_type="regression", python="python3", in_process=True)
    with pytest.raises(CodeDirError, match="found nothing"):
        package.load(folder / "none", target_type="regression")


def test_a_second_native_runtime_is_refused(monkeypatch):
    monkeypatch.setattr(loaded, "_active_runtime", None)
    loaded._claim_runtime("python")
    loaded._claim_runtime("java")
    loaded._claim_runtime("python")
    loaded._claim_runtime("java")
    with pytest.raises(SettingsError, match="holds the runtime of java") as raised:
        loaded._claim_runtime("julia")
    assert raised.value.facts == {"active": "java", "asked": "julia"}


FORKS = """
import os, sys
import pandas as pd
import polyhost
from polyhost.errors import WorkerNotReady

rows = pd.DataFrame({"a": [1.0], "name": ["ann"]})
model = polyhost.load(sys.argv[1], target_type="regression")
child = os.fork()
if child == 0:
    try:
        model.predict(rows)
    except WorkerNotReady as error:
        assert "forked" in str(error)
        model.close()
        with polyhost.load(sys.argv[1], target_type="regression") as own:
            assert own.predict(rows)["Predictions"].tolist() == [2.0]
        sys.exit(7)  # as a program ends, with what is registered for that
    sys.exit(1)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), model.predict(rows)["Predictions"].tolist())
"""


def test_a_process_that_is_forked_after_loading_ends_and_the_model_stays(folder):
    done = subprocess.run(
        [sys.executable, "-c", FORKS, str(folder)], capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.returncode) == ("7 [2.0]\n", 0), done.stderr
