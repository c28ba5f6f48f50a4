"""``polyhost predict``: MLflow's command, by its flags."""

from __future__ import annotations

import io
import json
import site
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from support import mlflow_models
from support.wheels import wheel

SPLIT = {"columns": ["a", "b"], "data": [[1.0, 2.0], [3.0, 5.0]]}
X = np.array(SPLIT["data"])


@pytest.fixture(scope="module")
def estimator():
    return LinearRegression().fit([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], [1.0, 2.0, 4.0])


@pytest.fixture(scope="module")
def model(tmp_path_factory, estimator):
    signature = {"inputs": mlflow_models.columns(a="double", b="double")}
    return mlflow_models.sklearn(tmp_path_factory.mktemp("m") / "m", estimator, signature=signature)


@pytest.fixture
def request_file(tmp_path):
    def write(value: object) -> str:
        path = tmp_path / "request"
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return str(path)

    return write


def test_a_request_of_today_is_answered_into_a_file(polyhost, model, estimator, request_file):
    given = request_file({"dataframe_split": SPLIT})
    done = polyhost("predict", "-m", model, "-i", given, "-o", "out.json")
    assert (done.code, done.out, done.err) == (0, "", "")
    answer = json.loads((polyhost.folder / "out.json").read_text())
    assert answer == {"predictions": pytest.approx(estimator.predict(X).tolist())}


def test_a_request_of_old_is_answered_as_it_was(polyhost, model, estimator, request_file):
    done = polyhost("predict", "-m", model, "-i", request_file(SPLIT), "--json-format", "split")
    assert json.loads(done.out) == pytest.approx(estimator.predict(X).tolist())


def test_csv_from_an_archive(polyhost, model, estimator, request_file, tmp_path):
    archive = tmp_path / "m.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in model.iterdir():
            made.write(path, f"m/{path.name}")
    done = polyhost(
        "predict", "--model-uri", archive, "--input-path", request_file("b,a\n2,1\n5,3\n"),
        "--content-type", "csv", "--env-manager", "local",
        env={"XDG_CACHE_HOME": str(tmp_path / "cache")},
    )  # fmt: skip
    expected = pytest.approx(estimator.predict(X).tolist())
    assert json.loads(done.out) == {"predictions": expected}


SAYS = """
import os, sys, tiny

def _load_pyfunc(path):
    print("loading, for people")
    return Model()

class Model:
    def predict(self, data):
        return {"tiny": tiny.__version__, "own": sys.prefix == os.environ["VIRTUAL_ENV"],
                "variable": os.environ.get("MY_VARIABLE")}
"""


def test_the_environment_is_built_from_the_models_files(polyhost, request_file, tmp_path):
    """The package for it comes from a folder; numpy is the tests' own, by a path in that package."""
    wheels = tmp_path / "wheels"
    wheel(wheels, "tiny", "1.0", paths=site.getsitepackages())
    wheel(wheels, "tiny", "2.0", paths=site.getsitepackages())
    flavors = {"python_function": {"loader_module": "says", "code": "code"}}
    folder = mlflow_models.write(tmp_path / "says", flavors)
    (folder / "code").mkdir()
    (folder / "code" / "says.py").write_text(SAYS)
    (folder / "requirements.txt").write_text("tiny==1.0\n")
    version = "{}.{}.{}".format(*sys.version_info)
    (folder / "python_env.yaml").write_text(
        f"python: {version}\ndependencies: [-r requirements.txt]"
    )
    environ = {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_FIND_LINKS": str(wheels),
        "UV_OFFLINE": "1",
    }
    words = ["predict", "-m", folder, "-i", request_file({"inputs": [1]}), "--env-manager", "uv"]
    done = polyhost(*words, "--env", "MY_VARIABLE=x", env=environ)
    said = json.loads(done.out)["predictions"]
    assert said == {"tiny": "1.0", "own": True, "variable": "x"}
    assert "loading, for people" in done.err
    done = polyhost(*words, "-r", "tiny==2.0", env=environ)
    assert done.code == 1
    assert "tiny==1.0 and tiny==2.0" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-m", "nowhere"], "no model at 'nowhere'"),
        (["-m", "MODEL", "-r", "x==1"], "for an environment that is built"),
        (["-m", "MODEL", "--install-mlflow"], "for an environment that is built"),
        (["-m", "MODEL", "--env", "novalue"], "expected NAME=VALUE"),
        (["-m", "MODEL", "-t", "csv", "-j", "split"], "--json-format is of JSON"),
        (["-m", "MODEL", "-i", "nofile"], "nofile: No such file"),
        (["-m", "MODEL", "-o", "no/folder"], "no folder no"),
    ],
)
def test_what_cannot_be_is_said(model, capsys, monkeypatch, tmp_path, words, said):
    """In this process: no model is asked."""
    from polyhost.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO()))
    (tmp_path / "request").write_text("{}")
    given = [str(model) if word == "MODEL" else word for word in words]
    assert main(["predict", *given]) == 1
    assert said in capsys.readouterr().err
