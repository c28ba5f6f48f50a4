"""polyhost.spark on a cluster of two executors, each a process of its own, on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import psutil
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.functions import struct
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from support import mlflow_models

import polyhost.spark
from polyhost.errors import SettingsError

MODELS = Path(__file__).parents[1] / "models"
LANGUAGES = [
    pytest.param(language, marks=pytest.mark.runtime(language))
    for language in ("python", "r", "java", "julia")
]
ROWS = pd.DataFrame({"a": [float(i) for i in range(40)], "b": [0.5] * 40, "name": ["n"] * 40})


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    place = tmp_path_factory.mktemp("spark")
    os.environ.update(
        PYSPARK_PYTHON=sys.executable,
        SPARK_LOCAL_IP="127.0.0.1",
        SPARK_WORKER_DIR=str(place / "work"),
        XDG_CACHE_HOME=str(place / "cache"),
    )
    session = (
        SparkSession.builder.master("local-cluster[2,1,1024]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "7")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.local.dir", str(place / "local"))
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="module")
def breast_cancer(tmp_path_factory):
    """A scikit-learn model, its input, and the probabilities that scikit-learn itself gave."""
    place = tmp_path_factory.mktemp("binary")
    make = MODELS / "builtin" / "python" / "make.py"
    subprocess.run([sys.executable, make, "binary", place], check=True)
    return place / "model", pd.read_csv(place / "input.csv"), pd.read_csv(place / "expected.csv")


def answers_of(frame, expression):
    return [row[0] for row in frame.select(expression).collect()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_of_each_language_predicts_in_executors(spark, language):
    predict = polyhost.spark.predict_udf(
        MODELS / "score_regression" / language, "double", target_type="regression"
    )
    frame = spark.createDataFrame(ROWS).repartition(3).orderBy("a")
    assert answers_of(frame, predict(struct("a", "b", "name"))) == [i + 1.0 for i in range(40)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_whole_frame_keeps_its_other_columns(spark, language):
    frame = spark.createDataFrame(ROWS).repartition(3)
    scored = polyhost.spark.score_frame(
        frame,
        MODELS / "score_regression" / language,
        passthrough=["a"],
        target_type="regression",
    )
    assert scored.columns == ["Predictions", "a"]
    assert sorted((row.a, row.Predictions) for row in scored.collect()) == [
        (float(i), i + 1.0) for i in range(40)
    ]


@pytest.mark.parametrize("way", ["arrow_udf", "pandas_udf"])
def test_both_kinds_of_udf_give_what_scikit_learn_gives(spark, breast_cancer, monkeypatch, way):
    model, rows, expected = breast_cancer
    if way == "pandas_udf":
        monkeypatch.setattr("polyhost.spark.udf.ARROW_SINCE", (99, 0))
    labels = list(expected.columns)
    fields = ", ".join(f"`{label}` double" for label in labels)
    predict = polyhost.spark.predict_udf(model, fields)
    frame = spark.createDataFrame(rows).coalesce(1)
    found = [row[0].asDict() for row in frame.select(predict()).collect()]
    pd.testing.assert_frame_equal(pd.DataFrame(found)[labels], expected, rtol=1e-9)


def test_the_types_that_mlflow_knows(spark, breast_cancer):
    model, rows, expected = breast_cancer
    frame = spark.createDataFrame(rows.head(9)).coalesce(1)
    first = expected.iloc[:9, 0]
    for kind, wanted in {
        None: list(first),
        "float": [float(value) for value in first.astype("float32")],
        "array<double>": expected.head(9).to_numpy().tolist(),
        "map<string,double>": expected.head(9).to_dict("records"),
    }.items():
        found = answers_of(frame, polyhost.spark.predict_udf(model, kind)())
        assert found == [pytest.approx(value, rel=1e-6) for value in wanted], kind
    texts = answers_of(frame, polyhost.spark.predict_udf(model, "string")())
    assert [float(text) for text in texts] == pytest.approx(list(first))


def test_an_mlflow_folder_answers_with_the_type_of_its_signature(spark, tmp_path):
    data = load_iris(as_frame=True)
    model = LogisticRegression(max_iter=1000).fit(data.data, data.target)
    output = {"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}
    inputs = [{"type": "double", "name": name} for name in data.data.columns]
    mlflow_models.sklearn(
        tmp_path / "iris", model, signature={"inputs": inputs, "outputs": [output]}
    )
    rows = data.data.iloc[::10]
    predict = polyhost.spark.predict_udf(tmp_path / "iris")
    selected = spark.createDataFrame(rows).coalesce(1).select(predict().alias("label"))
    assert selected.schema["label"].dataType.simpleString() == "bigint"
    assert [row.label for row in selected.collect()] == model.predict(rows).tolist()


def test_a_type_that_no_answer_has_names_the_columns(spark, breast_cancer):
    model, rows, _ = breast_cancer
    frame = spark.createDataFrame(rows.head(3))
    with pytest.raises(Exception, match=r"did not produce any values compatible.*'int'"):
        answers_of(frame, polyhost.spark.predict_udf(model, "int")())
    with pytest.raises(SettingsError, match="not a Spark type"):
        polyhost.spark.predict_udf(model, "no such thing at all")
    with pytest.raises(SettingsError, match="not one that answers can become"):
        polyhost.spark.predict_udf(model, "date")


def test_whole_numbers_with_gaps_stay_whole_numbers(spark, tmp_path):
    (tmp_path / "custom.py").write_text(
        "def load_model(code_dir):\n    return 1\n\n"
        "def score(data, model, **kwargs):\n"
        "    return data[['a']].astype('Float64').fillna(-1).rename(columns={'a': 'Predictions'})\n"
    )
    (tmp_path / "model-metadata.yaml").write_text("targetType: regression\n")
    frame = spark.createDataFrame([(2**40 + 1,), (None,)], "a bigint").coalesce(1)
    predict = polyhost.spark.predict_udf(tmp_path, columns=["a"])
    assert answers_of(frame, predict("a")) == [2.0**40 + 1, -1.0]


def test_an_executor_that_dies_costs_no_row(spark, tmp_path):
    """The model waits for the file ``go``, which is written when an executor has been killed."""
    (tmp_path / "custom.py").write_text(
        "import os, time\n\n"
        "def load_model(code_dir):\n    return 2.0\n\n"
        "def score(data, model, **kwargs):\n"
        f"    folder = {str(tmp_path)!r}\n"
        "    open(os.path.join(folder, 'began'), 'a').close()\n"
        "    while not os.path.exists(os.path.join(folder, 'go')):\n"
        "        time.sleep(0.01)\n"
        "    return data[['a']].rename(columns={'a': 'Predictions'}) * model\n"
    )
    (tmp_path / "model-metadata.yaml").write_text("targetType: regression\n")
    frame = spark.createDataFrame([(float(i),) for i in range(100)], "a double").repartition(4)
    scored = polyhost.spark.score_frame(
        frame, tmp_path, schema="Predictions double", passthrough=["a"], in_place=True
    )
    killer = subprocess.Popen([sys.executable, "-c", KILLER, str(tmp_path), str(os.getpid())])
    found = sorted((row.a, row.Predictions) for row in scored.collect())
    assert killer.wait(60) == 0, "no executor was killed"
    assert found == [(float(i), 2.0 * i) for i in range(100)]


KILLER = """
import contextlib, pathlib, sys, time
import psutil

folder, driver = pathlib.Path(sys.argv[1]), psutil.Process(int(sys.argv[2]))
until = time.monotonic() + 240
try:
    while not (folder / "began").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    executors = []
    for process in driver.children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            if "org.apache.spark.executor.CoarseGrainedExecutorBackend" in process.cmdline():
                executors.append(process)
    executors[0].kill()
    executors[0].wait()
finally:
    (folder / "go").touch()
"""
"""Kills an executor once the model predicts in one."""


def executors() -> list[psutil.Process]:
    """The processes of the executors, which Spark starts below this one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            if "org.apache.spark.executor.CoarseGrainedExecutorBackend" in process.cmdline():
                found.append(process)
    return found


def test_no_worker_outlives_the_python_of_its_executor(spark):
    predict = polyhost.spark.predict_udf(
        MODELS / "score_regression" / "python", "double", target_type="regression"
    )
    assert answers_of(spark.createDataFrame(ROWS.head(2)), predict(struct("a", "b", "name")))
    running = executors()
    below = [child for executor in running for child in executor.children(recursive=True)]
    assert below
    for executor in running:
        executor.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(below, timeout=30)
    assert not alive
