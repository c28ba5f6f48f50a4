"""``polyhost push``: what it says without DataRobot, and what it asks of its client."""

from __future__ import annotations

import json

import pytest

METADATA = """\
name: prices
type: inference
targetType: binary
environmentID: e1
inferenceModel:
  targetName: sold
  positiveClassLabel: "yes"
  negativeClassLabel: "no"
validation:
  input: data.csv
"""
CUSTOM = """
import pandas as pd

def load_model(code_dir):
    return 0.5

def score(data, model, **kwargs):
    return pd.DataFrame({"yes": data["a"] * model, "no": 1 - data["a"] * model})
"""
CLIENT = """
import json, types

def note(*what, **named):
    with open("asked", "a") as file:
        file.write(json.dumps([*what, named]) + "\\n")

def Client():
    note("Client")

def kind(name, id):
    def make(*words, **named):
        note(name, *words, **named)
        return types.SimpleNamespace(id=id)
    return types.SimpleNamespace(create=make, create_clean=make)

CustomInferenceModel = kind("CustomInferenceModel", "m1")
CustomModelVersion = kind("CustomModelVersion", "v1")
CustomTask = kind("CustomTask", "t1")
CustomTaskVersion = kind("CustomTaskVersion", "w1")
"""
KEYS = {"DATAROBOT_ENDPOINT": "https://dr.example/api/v2", "DATAROBOT_API_TOKEN": "t"}


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "custom.py").write_text(CUSTOM, encoding="utf-8")
    (folder / "data.csv").write_text("a\n1\n", encoding="utf-8")
    (folder / "model-metadata.yaml").write_text(METADATA, encoding="utf-8")
    return folder


@pytest.fixture
def client(tmp_path, monkeypatch):
    """A stand-in for the client; gives what it was asked."""
    (tmp_path / "lib" / "datarobot").mkdir(parents=True)
    (tmp_path / "lib" / "datarobot" / "__init__.py").write_text(CLIENT, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))

    def asked():
        file = tmp_path / "asked"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]

    return asked


def test_metadata_is_needed(polyhost, model):
    (model / "model-metadata.yaml").unlink()
    done = polyhost("push", "-cd", model)
    assert (done.code, "push needs model-metadata.yaml" in done.err) == (1, True)


def test_without_the_client_it_says_what_is_needed(polyhost, model):
    done = polyhost("push", "-cd", model, env=KEYS)
    assert done.code == 1
    assert "needs its client: expected the package datarobot" in done.err


def test_without_an_installation_too(polyhost, model, client, tmp_path):
    done = polyhost("push", "-cd", model, env={"HOME": str(tmp_path)})
    assert done.code == 1
    assert "needs a DataRobot installation" in done.err
    assert client() == []


def test_a_model_is_tried_and_uploaded(polyhost, model, client):
    done = polyhost("push", "-cd", model, env=KEYS)
    assert (done.code, done.out) == (0, "Pushed prices: model m1, version v1\n"), done.err
    assert client() == [
        ["Client", {}],
        [
            "CustomInferenceModel",
            {
                "target_name": "sold",
                "name": "prices",
                "target_type": "Binary",
                "language": "python",
                "description": None,
                "positive_class_label": "yes",
                "negative_class_label": "no",
            },
        ],
        [
            "CustomModelVersion",
            "m1",
            {"base_environment_id": "e1", "folder_path": str(model), "is_major_update": True},
        ],
    ]


def test_a_new_version_of_a_training_model(polyhost, model, client):
    text = "name: t\ntype: training\ntargetType: regression\nmodelID: old\nmajorVersion: false\n"
    (model / "model-metadata.yaml").write_text(text, encoding="utf-8")
    done = polyhost("push", "-cd", model, env=KEYS)
    assert done.out == "Pushed t: model old, version w1\n", done.err
    assert client()[1][:2] == ["CustomTaskVersion", "old"]
    assert client()[1][2]["is_major_update"] is False


def test_a_model_that_cannot_score_is_not_uploaded(polyhost, model, client):
    (model / "data.csv").write_text("b\n1\n", encoding="utf-8")
    done = polyhost("push", "-cd", model, env=KEYS)
    assert done.code == 1
    assert "nothing was uploaded" in done.err
    assert client() == [["Client", {}]]


def test_a_task_that_violates_its_type_schema_is_not_uploaded(polyhost, model, client):
    (model / "custom.py").write_text("def fit(X, y, output_dir, **kwargs): pass\n")
    text = "name: t\ntype: training\ntargetType: anomaly\nvalidation:\n  input: data.csv\n"
    needs = "    - field: number_of_columns\n      condition: GREATER_THAN\n      value: 1\n"
    schema = f"typeSchema:\n  input_requirements:\n{needs}"
    (model / "model-metadata.yaml").write_text(text + schema, encoding="utf-8")
    done = polyhost("push", "-cd", model, env=KEYS)
    assert (done.code, "nothing was uploaded" in done.err) == (3, True)
    assert client() == [["Client", {}]]
