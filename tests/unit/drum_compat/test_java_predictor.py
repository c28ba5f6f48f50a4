"""``custom.py`` that combines several Java models, as DRUM's users do with jars."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[2] / "models" / "score_regression"
CUSTOM = """\
import os

import pandas as pd
from datarobot_drum.drum.enum import TargetType
from datarobot_drum.drum.language_predictors.java_predictor.java_predictor import JavaPredictor


def load_model(code_dir):
    found = []
    for name in ("one", "two"):
        predictor = JavaPredictor()
        folder = os.path.join(code_dir, name)
        predictor.configure(
            {"__custom_model_path__": folder, "target_type": TargetType.REGRESSION}
        )
        found.append(predictor)
    return found


def score(data, model, **kwargs):
    body = data.to_csv(index=False).encode()
    answers = [each.predict(binary_data=body) for each in model]
    assert all(answer.extra_model_output is None for answer in answers)
    return pd.DataFrame({"Predictions": sum(answer.predictions[:, 0] for answer in answers)})
"""


@pytest.mark.runtime("java")
def test_two_java_models_in_one(polyhost, tmp_path):
    code_dir = tmp_path / "model"
    for name in ("one", "two"):
        shutil.copytree(MODEL / "java", code_dir / name)
    (code_dir / "custom.py").write_text(CUSTOM)
    rows = tmp_path / "rows.csv"
    rows.write_text("a,b\n1,2\n3,4.5\n")

    def predictions(folder, language):
        out = tmp_path / "out.csv"
        flags = ("--target-type", "regression", "--language", language, "--output", out)
        out.unlink(missing_ok=True)
        done = polyhost("score", "--code-dir", folder, "--input", rows, *flags)
        assert done.code == 0, done.err
        return [float(line) for line in out.read_text().splitlines()[1:]]

    alone = predictions(MODEL / "java", "java")
    assert predictions(code_dir, "python") == [2 * value for value in alone]
