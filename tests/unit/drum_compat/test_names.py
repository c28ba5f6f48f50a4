"""Code that imports DRUM's names runs in a worker, and the real package wins where it is."""

from __future__ import annotations

import importlib
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from polyhost.data.payload import Payload
from polyhost.data.target import Target, TargetType
from polyhost.drum_compat import DRUM_VERSION, FOLDER, CustomHTTPError, expose
from polyhost.drum_compat.custom_task import RegressionEstimatorInterface, TransformerInterface
from polyhost.drum_compat.predictors import JavaPredictor, drum_inline_predictor
from polyhost.errors import GuestStatus, SettingsError
from polyhost.pipeline.pipeline import open_predictor
from polyhost.predictor import ModelSpec

CUSTOM = """\
import pandas as pd
from datarobot_drum import CustomHTTPError, RuntimeParameters
from datarobot_drum.runtime_parameters.exceptions import InvalidRuntimeParam


def load_model(code_dir):
    return RuntimeParameters.get("FACTOR") if RuntimeParameters.has("FACTOR") else 1


def score(data, model, **kwargs):
    if (data["a"] < 0).any():
        raise CustomHTTPError("no negative numbers", status_code=418)
    return pd.DataFrame({"Predictions": data["a"] * model})
"""
TRAINED_ELSEWHERE = """\
import pandas as pd
from datarobot_drum.custom_task_interfaces import RegressionEstimatorInterface


class CustomTask(RegressionEstimatorInterface):
    @classmethod
    def load(cls, folder):
        task = cls.load_task(folder)
        task.factor = 10
        return task

    def predict(self, X, **kwargs):
        return pd.DataFrame({"Predictions": X["a"] * self.factor + self.offset})
"""
UNSTRUCTURED = """\
def load_model(code_dir):
    return "model"


def score_unstructured(model, data, query, **kwargs):
    return data.upper() + query.get("end", "")
"""


@pytest.fixture
def code_dir(tmp_path):
    (tmp_path / "custom.py").write_text(CUSTOM)
    return tmp_path


@pytest.fixture(autouse=True)
def _forgotten():
    """What these tests import under DRUM's name is forgotten after each."""
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "datarobot_drum"]:
        del sys.modules[name]


def spec_of(code_dir):
    return ModelSpec(code_dir, "python", Target(TargetType.REGRESSION), Path("custom.py"))


def test_runtime_parameters_and_a_status_of_its_own(code_dir, monkeypatch):
    monkeypatch.setenv("MLOPS_RUNTIME_PARAM_FACTOR", '{"type": "numeric", "payload": 3}')
    # Guests that other tests never closed leave their mark on the path.
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != FOLDER])
    predictor = open_predictor(spec_of(code_dir))
    scores = predictor.predict(Payload(b"a\n2\n4\n"))
    np.testing.assert_array_equal(scores.predictions.columns[0], [6, 12])
    with pytest.raises(GuestStatus, match="no negative numbers") as raised:
        predictor.predict(Payload(b"a\n-1\n"))
    assert raised.value.status == 418
    predictor.close()
    assert FOLDER not in sys.path


def test_the_real_package_wins(code_dir, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("site-packages")
    (elsewhere / "datarobot_drum").mkdir()
    (elsewhere / "datarobot_drum" / "__init__.py").write_text("real = True\n")
    monkeypatch.syspath_prepend(str(elsewhere))
    (code_dir / "custom.py").write_text(
        "from datarobot_drum import real\n\n"
        "def load_model(code_dir):\n    return real\n\n"
        "def score(data, model, **kwargs):\n    return data\n"
    )
    open_predictor(spec_of(code_dir)).close()
    assert sys.modules["datarobot_drum"].real


def test_the_status_is_400_unless_given():
    assert CustomHTTPError("wrong").status_code == 400


def test_every_name(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    expose()
    from datarobot_drum import custom_task_interfaces
    from datarobot_drum.drum.common import get_drum_logger
    from datarobot_drum.drum.description import version
    from datarobot_drum.drum.language_predictors.java_predictor import java_predictor
    from datarobot_drum.drum.root_predictors import drum_inline_utils
    from datarobot_drum.runtime_parameters import RuntimeParameters, exceptions

    assert java_predictor.JavaPredictor is JavaPredictor
    assert drum_inline_utils.drum_inline_predictor is drum_inline_predictor
    assert RuntimeParameters.has is not None
    assert issubclass(exceptions.InvalidRuntimeParam, exceptions.RuntimeParameterException)
    assert custom_task_interfaces.RegressionEstimatorInterface
    assert version == DRUM_VERSION
    assert get_drum_logger("mine").name == "drum.mine"


def test_an_inline_predictor(code_dir):
    with drum_inline_predictor("regression", code_dir, "y", "--show-perf") as predictor:
        answer = predictor.predict(binary_data=b"a\n2\n", mimetype="text/csv")
    np.testing.assert_array_equal(answer.predictions, [[2]])
    assert list(answer.columns) == ["Predictions"]
    with pytest.raises(SettingsError, match="no model is loaded"):
        predictor.predict(binary_data=b"a\n2\n")


def test_an_unstructured_inline_predictor(code_dir):
    (code_dir / "custom.py").write_text(UNSTRUCTURED)
    with drum_inline_predictor(TargetType.UNSTRUCTURED, code_dir, "") as predictor:
        answer, kind = predictor.predict_unstructured("abc", query={"end": "!"})
    assert (answer, kind["mimetype"]) == ("ABC!", "text/plain")


def test_a_java_predictor_needs_a_model():
    with pytest.raises(SettingsError, match="configure"):
        JavaPredictor().configure({"target_type": "regression"})


def test_a_task_that_only_predicts(code_dir, monkeypatch):
    """Its artifact was trained by another class of that name; a part of it was saved apart."""
    # Other tests may have left a module of that name, or a folder that has one.
    monkeypatch.delitem(sys.modules, "custom", raising=False)
    monkeypatch.setattr(sys, "path", [str(code_dir), *sys.path])
    importlib.invalidate_caches()
    expose()
    (code_dir / "custom.py").write_text(TRAINED_ELSEWHERE)
    import custom  # what the artifact is pickled as

    task = custom.CustomTask()
    task.offset, task.factor = 1, lambda: None  # which cannot be pickled
    whole = task.factor
    assert task.save_task(str(code_dir), exclude=["factor"]) is None
    assert task.factor is whole
    del sys.modules["custom"]
    predictor = open_predictor(spec_of(code_dir))
    scores = predictor.predict(Payload(b"a\n2\n4\n"))
    np.testing.assert_array_equal(scores.predictions.columns[0], [21, 41])
    predictor.close()


def test_what_a_task_leaves_undefined_is_told_when_it_is_called(tmp_path):
    task = RegressionEstimatorInterface()
    with pytest.raises(NotImplementedError, match="does not define fit"):
        task.fit(None, None)
    with pytest.raises(NotImplementedError, match="does not define predict"):
        task.predict(None)
    with pytest.raises(AttributeError, match="no attribute estimator: expected names"):
        task.save_task(str(tmp_path), exclude=["estimator"])
    assert task.save(str(tmp_path)) is task
    assert (tmp_path / task.default_artifact_filename).exists()
    with pytest.raises(TypeError, match="expected a TransformerInterface"):
        TransformerInterface.load(str(tmp_path))


def test_a_task_that_cannot_be_pickled_keeps_the_artifact_before_it(tmp_path):
    task = RegressionEstimatorInterface()
    task.save(str(tmp_path))
    before = (tmp_path / task.default_artifact_filename).read_bytes()
    task.weights, task.thing = b"x" * 100_000, lambda: None
    with pytest.raises((pickle.PicklingError, AttributeError)):
        task.save(str(tmp_path))
    assert (tmp_path / task.default_artifact_filename).read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
