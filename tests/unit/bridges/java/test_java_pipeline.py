"""Pipelines of Driverless AI, with a stand-in for their vendor's runtime."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from . import pipeline_jar

pytestmark = pytest.mark.runtime("java")
LICENSED = {"DRIVERLESS_AI_LICENSE_KEY": "good"}
YES_NO = (
    "--target-type",
    "binary",
    "--positive-class-label",
    "yes",
    "--negative-class-label",
    "no",
)
REGRESSION = ("--target-type", "regression")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory) -> Path:
    return pipeline_jar.build(tmp_path_factory.mktemp("runtime"))


@pytest.fixture
def model(tmp_path, runtime):
    """Makes a code dir whose pipeline has these outputs, the runtime beside it."""

    def make(outputs="price", name="pipeline.mojo"):
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / name).write_text(outputs, encoding="utf-8")
        shutil.copy(runtime, folder)
        return folder

    return make


def score(polyhost, folder, *flags, rows="n,t\n1.5,ab\n,c\n7,\n", env=LICENSED):
    data, output = polyhost.folder / "in.csv", polyhost.folder / "out.csv"
    data.write_text(rows, encoding="utf-8")
    words = ("score", "--code-dir", folder, "--input", data, "--output", output)
    done = polyhost(*words, *flags, env=env)
    return done, output.read_text(encoding="utf-8") if done.code == 0 else ""


def test_one_output(polyhost, model):
    done, out = score(polyhost, model(), *REGRESSION)
    assert out == 'Predictions\n3.5\n""\n7.0\n', done.err


def test_several_outputs_have_the_labels_in_their_names(polyhost, model):
    done, out = score(polyhost, model("sold.no sold.yes"), *YES_NO, rows="n,t\n1,a\n")
    assert out == "no,yes\n0.5,0.5\n", done.err


def test_of_several_labels_in_a_name_the_last_and_longest_counts(polyhost, model):
    kind = ("--target-type", "multiclass", "--class-labels", "a", "ab", "kind")
    done, out = score(polyhost, model("kind.ab kind.a kind_of"), *kind, rows="n,t\n1,a\n")
    assert out == "ab,a,kind\n0.5,0.25,0.25\n", done.err


def test_an_output_without_a_label(polyhost, model):
    done, _ = score(polyhost, model("sold.no sold.maybe"), *YES_NO)
    assert done.code == 1
    assert "'sold.maybe' whose name holds none of the class labels: expected one of" in done.err


def test_a_licence_beside_the_pipeline(polyhost, model):
    folder = model()
    (folder / "license.sig").write_text("good", encoding="utf-8")
    done, out = score(polyhost, folder, *REGRESSION, env={})
    assert out.startswith("Predictions\n3.5\n"), done.err


def test_no_licence(polyhost, model):
    done, _ = score(polyhost, model(), *REGRESSION, env={})
    assert done.code == 1
    assert "pipeline.mojo cannot be loaded: LicenseException: no licence. Give a lic" in done.err
    assert "many words more" not in done.err


def test_without_the_runtime(polyhost, model):
    folder = model()
    (folder / "mojo2-runtime.jar").unlink()
    done, _ = score(polyhost, folder, *REGRESSION)
    assert done.code == 1
    assert "found no jar. Put mojo2-runtime.jar" in done.err


def test_the_runtime_on_the_class_path(polyhost, model, runtime):
    folder = model()
    (folder / "mojo2-runtime.jar").unlink()
    env = {**LICENSED, "DRUM_JAVA_CUSTOM_CLASS_PATH": str(runtime)}
    done, out = score(polyhost, folder, *REGRESSION, env=env)
    assert out.startswith("Predictions\n3.5\n"), done.err


def test_another_name(polyhost, model):
    done, _ = score(polyhost, model(name="prices.mojo"), *REGRESSION)
    assert done.code == 1
    assert "must be called pipeline.mojo; found prices.mojo" in done.err


def test_a_classifier_for_a_regression(polyhost, model):
    done, _ = score(polyhost, model("a b"), *REGRESSION)
    assert done.code == 1
    assert "expected a model for target type 'regression'" in done.err


def test_over_http(serve, model):
    server = serve("-cd", model(), *REGRESSION, command="server", env=LICENSED)
    assert server.post("/predict/", "t,n,more\nab,1.5,x\n").json() == {"predictions": [3.5]}
    body = {"dataframe_records": [{"n": 2, "t": None}]}
    assert server.client.post("/predict/", json=body).json() == {"predictions": [2.0]}
    reply = server.post("/predict/", "n,t\nabc,x\n")
    assert (reply.status_code, "cannot take 'abc'" in reply.json()["message"]) == (422, True)
    assert server.client.get("/info/").json()["predictor"] == "driverless ai"
