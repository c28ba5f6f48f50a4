"""Keras models, in a process for each backend: a backend cannot be changed once it is there.

Keras and TensorFlow are too large for the other tests' environment: ``make test-tensorflow`` makes
one that has them, and runs these.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("keras_predictions.py")
BACKENDS = ["tensorflow"]


@pytest.fixture(scope="module", params=BACKENDS)
def found(request, tmp_path_factory):
    """What the script found with one backend."""
    for module in ("keras", request.param):
        if not importlib.util.find_spec(module):
            pytest.skip(f"{module} is not installed: make test-tensorflow")
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path_factory.mktemp("keras")],
        env={**os.environ, "KERAS_BACKEND": request.param, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
def test_values(found, file):
    assert found[f"value {file}"] == pytest.approx(found["own value"], rel=1e-5)


def test_one_value_is_the_positive_class(found):
    assert found["binary columns"] == ["no", "yes"]
    assert found["binary"] == pytest.approx(found["own binary"], rel=1e-5)


def test_classes_by_position(found):
    assert found["classes columns"] == ["a", "b", "c"]
    assert found["classes"] == pytest.approx(found["own classes"], rel=1e-5)


def test_what_it_tells_of_itself(found):
    assert found["info"] == ["keras", True, True]


def test_other_labels_are_refused_at_load(found):
    assert "answers 3 column(s): expected 2" in found["refused"]


def test_a_pipeline_that_ends_in_one(found):
    assert found["pipeline"] == pytest.approx(found["own pipeline"], rel=1e-4, abs=1e-6)


def test_several_inputs_by_their_names(found):
    assert found["inputs"] == pytest.approx(found["own inputs"], rel=1e-5)
    assert found["inputs alone"] == pytest.approx(found["own inputs"], rel=1e-5)
    assert found["input columns"] == [
        ["code", "text"],
        ["pair.0", "number"],
        ["pair.1", "number"],
        ["count", "integer"],
    ]
    assert "column 'count', row 1: found '1.5'" in found["input refused"]
