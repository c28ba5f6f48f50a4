"""``polyhost fit``: what it leaves is scored by ``polyhost score``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

RNG = np.random.default_rng(7)
X = pd.DataFrame(RNG.normal(size=(60, 2)), columns=["a", "b"])
ROWS = X.assign(y=X["a"] * 2 + X["b"] + RNG.normal(size=60) / 10)
CLASSES = X.assign(kind=np.where(X["a"] + RNG.normal(size=60) > 0, "up", "down"))

FIT_HOOK = """\
import json
import pickle
from pathlib import Path

from sklearn.linear_model import LinearRegression


def fit(X, y, output_dir, class_order, row_weights, parameters, **kwargs):
    told = [list(X.columns), y.name, class_order, None if row_weights is None else len(row_weights)]
    Path(output_dir, "told.json").write_text(json.dumps([*told, parameters, len(X)]))
    model = LinearRegression().fit(X, y, row_weights)
    Path(output_dir, "model.pkl").write_bytes(pickle.dumps(model))
"""
TASK = """\
import pandas as pd
from datarobot_drum.custom_task_interfaces import BinaryEstimatorInterface
from sklearn.linear_model import LogisticRegression


class CustomTask(BinaryEstimatorInterface):
    def fit(self, X, y, output_dir="", class_order=None, parameters=None, **kwargs):
        secret = self.secrets["PAID"]
        print(f"password {secret.password}, order {class_order}")
        self.log_message(f"and {secret}")
        self.model = LogisticRegression(**parameters).fit(X, y)

    def predict_proba(self, X, **kwargs):
        return pd.DataFrame(self.model.predict_proba(X), columns=self.model.classes_)
"""


@pytest.fixture
def folders(tmp_path):
    """A code dir with a custom file, and an output folder."""

    def make(custom):
        for name in ("code", "out"):
            (tmp_path / name).mkdir()
        (tmp_path / "code" / "custom.py").write_text(custom)
        ROWS.to_csv(tmp_path / "rows.csv", index=False)
        CLASSES.to_csv(tmp_path / "classes.csv", index=False)
        X.to_csv(tmp_path / "x.csv", index=False)
        return tmp_path / "code", tmp_path / "out"

    return make


def score(polyhost, folder, tmp_path, *flags):
    out = tmp_path / "scored.csv"
    done = polyhost(
        "score", "--code-dir", folder, "--input", tmp_path / "x.csv", "--output", out, *flags
    )
    assert (done.code, done.err) == (0, "")
    return pd.read_csv(out)


def test_the_fit_hook(polyhost, folders, tmp_path):
    code, out = folders(FIT_HOOK)
    kind = ("--target-type", "regression")
    done = polyhost(
        *("fit", "--code-dir", code, "--input", tmp_path / "rows.csv", "--output", out),
        *("--target", "y", *kind),
    )
    assert (done.code, done.err) == (0, "")
    assert done.out.split("\n")[:4] == [
        "Starting Fit",
        "Fit successful",
        "Starting Prediction",
        "Success",
    ]
    assert json.loads((out / "told.json").read_text()) == [["a", "b"], "y", None, None, {}, 60]
    assert (out / "custom.py").read_text() == FIT_HOOK
    assert "polyhost score" in (out / "README.md").read_text()
    own = LinearRegression().fit(X, ROWS["y"]).predict(X)
    np.testing.assert_allclose(score(polyhost, out, tmp_path, *kind)["Predictions"], own)


def test_files_beside_the_input(polyhost, folders, tmp_path):
    code, out = folders(FIT_HOOK)
    ROWS[["y"]].to_csv(tmp_path / "y.csv", index=False)
    pd.DataFrame({"w": np.ones(60)}).to_csv(tmp_path / "w.csv", index=False)
    (tmp_path / "parameters.json").write_text('{"depth": 3}')
    done = polyhost(
        *("fit", "--code-dir", code, "--input", tmp_path / "x.csv", "--output", out),
        *("--target-csv", tmp_path / "y.csv", "--row-weights-csv", tmp_path / "w.csv"),
        *("--parameter-file", tmp_path / "parameters.json", "--num-rows", "40"),
        *("--target-type", "regression", "--skip-predict"),
    )
    assert (done.code, done.err) == (0, "")
    told = json.loads((out / "told.json").read_text())
    assert told == [["a", "b"], "y", None, 40, {"depth": 3}, 40]


def test_weights_of_another_count_are_the_tasks_to_judge(polyhost, folders, tmp_path):
    code, out = folders(FIT_HOOK)
    (tmp_path / "w.csv").write_text("w\n1\n1\n")
    done = polyhost(
        *("fit", "--code-dir", code, "--input", tmp_path / "rows.csv", "--output", out),
        *("--target", "y", "--row-weights-csv", tmp_path / "w.csv", "--target-type", "regression"),
    )
    assert done.code == 1  # scikit-learn's own refusal
    assert "warning: 2 row weights value(s) for 60 row(s) of input" in done.err
    assert json.loads((out / "told.json").read_text())[3] == 2


def test_a_custom_task_with_a_secret(polyhost, folders, tmp_path):
    code, out = folders(TASK)
    (code / "model-metadata.yaml").write_text(
        "name: m\ntype: training\ntargetType: binary\n"
        "hyperparameters:\n  - name: C\n    type: float\n    default: 0.5\n"
    )
    done = polyhost(
        *("fit", "--code-dir", code, "--input", tmp_path / "classes.csv", "--output", out),
        *("--target", "kind", "--user-secrets-prefix", "SECRET"),
        env={
            "SECRET_PAID": '{"credential_type": "basic", "username": "user-7", "password": "hush"}'
        },
    )
    assert (done.code, done.err) == (0, "")
    assert "password *****, order ['down', 'up']" in done.out
    assert "and BasicSecret(*****)" in done.out
    assert "hush" not in done.out
    labels = ("--positive-class-label", "up", "--negative-class-label", "down")
    found = score(polyhost, out, tmp_path, "--target-type", "binary", *labels)
    own = LogisticRegression(C=0.5).fit(X, CLASSES["kind"])
    np.testing.assert_allclose(found[["down", "up"]], own.predict_proba(X))
    assert b"hush" not in (out / "drum_artifact.pkl").read_bytes()


ACROSS_ROWS = """\
def fit(X, y, output_dir, **kwargs):
    assert list(X.columns) == ["b"]


def transform(data, model):
    return data.drop(columns="a")


def load_model(code_dir):
    return 1


def score(data, model, **kwargs):
    return (data - data.mean()).rename(columns={"b": "Predictions"})
"""


def test_a_model_that_computes_across_rows(polyhost, folders, tmp_path):
    """The features pass through transform before fit, as they do before score."""
    code, out = folders(ACROSS_ROWS)
    done = polyhost(
        *("fit", "--code-dir", code, "--input", tmp_path / "rows.csv", "--target", "y"),
        *("--target-type", "regression", "--output", out),
    )
    assert done.code == 0
    assert "Your predictions were different when we tried to predict twice." in done.err
    kept = Path(done.err.rpartition(":")[2].strip())
    assert kept.parent == out
    assert len(pd.read_csv(kept)) == 10


def test_the_memory_it_took(polyhost, folders, tmp_path):
    code, out = folders(FIT_HOOK)
    words = ("fit", "--code-dir", code, "--input", tmp_path / "rows.csv", "--output", out)
    words = (*words, "--target", "y", "--target-type", "regression", "--enable-fit-metadata")
    assert polyhost(*words, "--skip-predict").code == 0
    assert not (out / "fit_runtime_data.json").exists()
    assert polyhost(*words).code == 0
    told = json.loads((out / "fit_runtime_data.json").read_text())
    assert sorted(told) == ["fit_memory_usage", "prediction_memory_usage"]
    assert all(30 < megabytes < 2000 for megabytes in told.values())


def test_labels_of_another_target_type_are_ignored(polyhost, folders, tmp_path):
    code, out = folders(FIT_HOOK.replace("LinearRegression().fit(X, y, row_weights)", "None"))
    done = polyhost(
        *("fit", "--code-dir", code, "--input", tmp_path / "classes.csv", "--output", out),
        *("--target", "kind", "--target-type", "multiclass", "--skip-predict"),
        *("--positive-class-label", "yes", "--negative-class-label", "no"),
    )
    assert done.code == 0, done.err
    assert json.loads((out / "told.json").read_text())[2] == ["down", "up"]


@pytest.mark.parametrize(
    ("custom", "flags", "code", "message"),
    [
        (FIT_HOOK, ("--target-type", "regression"), 1, "regression needs --target"),
        (
            FIT_HOOK,
            ("--target-type", "anomaly", "--target", "y"),
            1,
            "anomaly model takes no target",
        ),
        (FIT_HOOK, ("--target-type", "regression", "--target", "z"), 1, "no target column 'z'"),
        ("", ("--target-type", "regression", "--target", "y"), 1, "expected a fit hook"),
        (FIT_HOOK, ("--target", "y", "--target-csv", "rows.csv"), 2, "exclude each other"),
        (
            "class CustomTask:\n    pass\n",
            ("--target-type", "regression", "--target", "y"),
            1,
            "derives from no",
        ),
        (
            FIT_HOOK.replace("X, y, row_weights", "y"),
            ("--target-type", "regression", "--target", "y"),
            1,
            "'fit' failed",
        ),
    ],
)
def test_what_is_wrong_is_told(polyhost, folders, tmp_path, custom, flags, code, message):
    folder, out = folders(custom)
    rows = tmp_path / "rows.csv"
    done = polyhost("fit", "--code-dir", folder, "--input", rows, "--output", out, *flags)
    assert done.code == code
    assert message in done.err


SCHEMA = """\
name: m
type: training
targetType: regression
typeSchema:
  input_requirements:
    - field: number_of_columns
      condition: EQUALS
      value: 3
"""


def test_an_input_that_violates_the_type_schema(polyhost, folders, tmp_path):
    code, out = folders(FIT_HOOK)
    (code / "model-metadata.yaml").write_text(SCHEMA)
    words = ("fit", "--code-dir", code, "--input", tmp_path / "rows.csv", "--output", out)
    done = polyhost(*words, "--target", "y", "--skip-predict")
    says = "number_of_columns EQUALS 3 is required; found 2 column(s)"
    assert (done.code, says in done.err) == (3, True)
    done = polyhost(*words, "--target", "y", "--skip-predict", "--disable-strict-validation")
    assert (done.code, says in done.err) == (0, True)


WORDS = """\
def fit(X, y, output_dir, **kwargs):
    pass


def transform(data, transformer):
    return data.assign(word="x")
"""


def test_a_transform_that_gives_no_numbers_must_say_so(polyhost, folders, tmp_path):
    code, out = folders(WORDS)
    kind = ("--target-type", "transform")
    done = polyhost(
        *("fit", "--code-dir", code, "--input", tmp_path / "x.csv", "--output", out, *kind)
    )
    says = "data_types EQUALS NUM is required; found NUM, CAT"
    assert (done.code, says in done.err, says in done.out) == (3, True, True)
    assert "WARNING: No type schema provided." in done.out
    done = polyhost(
        *("fit", "--code-dir", code, "--input", tmp_path / "x.csv", *kind),
        "--disable-strict-validation",
    )
    assert (done.code, "No type schema" in done.out) == (0, False)
    assert "Your model can be fit to your data,  and predictions can be made on the fit" in done.out


def test_a_transform_is_tried_with_its_target(polyhost, folders, tmp_path):
    hook = "data, model, y):\n    return data.assign(target=y['y'])"
    code, _ = folders(WORDS.replace('data, transformer):\n    return data.assign(word="x")', hook))
    done = polyhost(
        *("fit", "--code-dir", code, "--input", tmp_path / "rows.csv", "--target", "y"),
        *("--target-type", "transform"),
    )
    assert done.code == 0, done.err


def test_a_transform_leaves_the_target_alone(polyhost, folders, tmp_path):
    code, _ = folders(WORDS.replace('data.assign(word="x")', "data, None"))
    done = polyhost(
        *("fit", "--code-dir", code, "--input", tmp_path / "x.csv", "--target-type", "transform")
    )
    assert done.code == 1
    for where in (done.out, done.err):
        assert "Transformation of the target variable is not supported by DRUM." in where


def test_the_output_is_another_folder(polyhost, folders, tmp_path):
    code, _ = folders(FIT_HOOK)
    done = polyhost("fit", "--code-dir", code, "--input", tmp_path / "rows.csv", "--output", code)
    assert done.code == 1
    assert "the code directory may not be used as the output directory" in done.err


R_HOOK = """\
fit <- function(X, y, output_dir, class_order, row_weights, parameters, ...) {
  model <- lm(y ~ ., data = data.frame(X, y = y * parameters$factor))
  saveRDS(model, file.path(output_dir, "model.rds"))
}
"""


@pytest.mark.runtime("r")
def test_the_fit_hook_in_r(polyhost, folders, tmp_path):
    code, out = folders("")
    (code / "custom.py").unlink()
    (code / "custom.R").write_text(R_HOOK)
    (tmp_path / "parameters.json").write_text('{"factor": 1.5}')
    kind = ("--target-type", "regression")
    done = polyhost(
        *("fit", "--code-dir", code, "--input", tmp_path / "rows.csv", "--output", out),
        *("--target", "y", "--parameter-file", tmp_path / "parameters.json", *kind),
    )
    assert done.code == 0, done.err
    own = LinearRegression().fit(X, ROWS["y"] * 1.5).predict(X)
    np.testing.assert_allclose(score(polyhost, out, tmp_path, *kind)["Predictions"], own)
