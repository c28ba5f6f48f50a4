from __future__ import annotations

import pytest
import requests

CUSTOM = """\
import pandas as pd
from datarobot_drum import CustomHTTPError, RuntimeParameters


def load_model(code_dir):
    return RuntimeParameters.get("FACTOR")


def score(data, model, **kwargs):
    if (data["a"] < 0).any():
        raise CustomHTTPError("no negative numbers", status_code=418)
    return pd.DataFrame({"Predictions": data["a"] * model})
"""
METADATA = """\
name: model
type: inference
targetType: regression
runtimeParameterDefinitions:
  - fieldName: FACTOR
    type: numeric
    defaultValue: 2
"""


@pytest.fixture
def code_dir(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "custom.py").write_text(CUSTOM)
    (folder / "model-metadata.yaml").write_text(METADATA)
    (tmp_path / "rows.csv").write_text("a\n3\n4\n")
    (tmp_path / "values.yaml").write_text("FACTOR: 10\n")
    return folder


@pytest.mark.parametrize(("text", "expected"), [("FACTOR: 10\n", "30"), ("OTHER: 1\n", "6")])
def test_score_takes_the_file(polyhost, code_dir, tmp_path, text, expected):
    (tmp_path / "values.yaml").write_text(text)
    done = polyhost(
        *("score", "--code-dir", code_dir, "--input", tmp_path / "rows.csv"),
        *("--output", tmp_path / "out.csv", "--runtime-params-file", tmp_path / "values.yaml"),
    )
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "out.csv").read_text().splitlines()[:2] == ["Predictions", expected]


def test_the_file_may_be_named_by_the_environment(polyhost, code_dir, tmp_path):
    (tmp_path / "values.yaml").write_text("FACTOR: many\n")
    done = polyhost(
        *("score", "--code-dir", code_dir, "--input", tmp_path / "rows.csv"),
        env={"RUNTIME_PARAMS_FILE": str(tmp_path / "values.yaml")},
    )
    assert done.code == 1
    assert "FACTOR: value can't be converted to float; found 'many'" in done.err


def test_server_takes_it_and_a_hook_sets_the_status(serve, code_dir, tmp_path):
    values = ("--runtime-params-file", tmp_path / "values.yaml")
    server = serve("--code-dir", code_dir, *values, command="server")
    url = f"http://127.0.0.1:{server.port}/predict/"
    answer = requests.post(url, data=b"a\n3\n", headers={"Content-Type": "text/csv"}, timeout=30)
    assert answer.json() == {"predictions": [30.0]}
    answer = requests.post(url, data=b"a\n-3\n", headers={"Content-Type": "text/csv"}, timeout=30)
    assert (answer.status_code, answer.json()) == (418, {"message": "no negative numbers"})
    assert answer.headers["X-Drum-User-Http-Error"] == "true"
