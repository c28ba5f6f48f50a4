"""PyTorch modules, in Debian's own interpreter: pip's PyTorch for Linux is several gigabytes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyhost

PYTHON = "/usr/bin/python3"
MAKE = Path(__file__).with_name("torch_models.py")
FRAME = pd.DataFrame(np.random.default_rng(1).normal(size=(20, 3)), columns=["x", "y", "z"])
CSV = FRAME.to_csv(index=False).encode()  # Debian's Python has neither pandas nor pyarrow


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder with the models, and what PyTorch itself predicts for FRAME."""
    try:
        probe = subprocess.run([PYTHON, "-c", "import torch"], capture_output=True, check=False)
    except OSError as error:
        pytest.skip(f"no interpreter at {PYTHON}: {error}")
    if probe.returncode:
        pytest.skip(f"{PYTHON} has no torch (Debian: apt-get install python3-torch)")
    folder = tmp_path_factory.mktemp("torch")
    rows = json.dumps(FRAME.to_numpy().tolist())
    done = subprocess.run([PYTHON, MAKE, folder, rows], check=True, capture_output=True, text=True)
    return folder, json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["module", "script"])
def test_values(made, kind):
    folder, own = made
    with polyhost.load(folder / kind, target_type="regression", python=PYTHON) as model:
        found = model.predict(CSV)["Predictions"].tolist()
        assert model.info.guest.framework == "torch"
    assert found == pytest.approx(own[kind], rel=1e-6)


def test_of_two_classes_the_negative_comes_first(made):
    folder, own = made
    labels = {"positive_class_label": "yes", "negative_class_label": "no"}
    with polyhost.load(folder / "binary", target_type="binary", python=PYTHON, **labels) as model:
        found = model.predict(CSV)
    assert found["no"].tolist() == pytest.approx(own["binary"], rel=1e-6)


def test_weights_alone_are_refused(made):
    folder, _ = made
    with pytest.raises(polyhost.errors.LoadError, match="state_dict"):
        polyhost.load(folder / "weights", target_type="regression", python=PYTHON).close()
