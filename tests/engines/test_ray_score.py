"""``polyhost score --engine ray`` on a cluster of three nodes on this machine."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import ray
import ray.data
from support import ray_cluster
from support.command import POLYHOST

from polyhost.cluster.ray_data import predict_dataset

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own are many

MODELS = Path(__file__).parents[1] / "models"
LONGEST = 300.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The command's process is at the head, whose CPU count is 0: actors are on the other nodes."""
    with ray_cluster.started(tmp_path_factory.mktemp("cache"), 0, 2, 2) as found:
        yield found


@pytest.fixture(scope="module")
def breast_cancer(tmp_path_factory):
    place = tmp_path_factory.mktemp("binary")
    make = MODELS / "builtin" / "python" / "make.py"
    subprocess.run([sys.executable, make, "binary", place], check=True)
    return place


def command(engine, model, source, output, *more):
    words = ["score", "--code-dir", model, "--input", source, "--output", output, *more]
    return [*POLYHOST, *map(str, words), "--engine", engine, "--quiet"]


@pytest.fixture
def score(cluster):
    """Run the command to its end, with Ray on the cluster; its exit code and what it said."""

    def run(engine, *arguments):
        words = command(engine, *arguments)
        if engine == "ray":
            words += ["--ray-address", cluster.address]
        return subprocess.run(words, capture_output=True, text=True, timeout=LONGEST, check=False)

    return run


@pytest.mark.parametrize("more", [("--passthrough", "mean area"), ("--workers", "3")])
def test_the_bytes_are_those_of_the_local_engine(score, breast_cancer, tmp_path, more):
    where = (breast_cancer / "model", breast_cancer / "input.csv")
    flags = ("--chunk-rows", "50", "--target-type", "binary", *labels(breast_cancer), *more)
    done = score("local", *where, tmp_path / "local.csv", *flags)
    assert done.returncode == 0, done.stderr
    done = score("ray", *where, tmp_path / "ray.csv", *flags)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ray.csv").read_bytes() == (tmp_path / "local.csv").read_bytes()


def labels(place):
    first, second = (place / "expected.csv").read_text().splitlines()[0].split(",")[:2]
    return ("--positive-class-label", first, "--negative-class-label", second)


@pytest.mark.parametrize(
    "language",
    [
        pytest.param(name, marks=pytest.mark.runtime(name))
        for name in ("python", "r", "java", "julia")
    ],
)
def test_each_language(score, tmp_path, language):
    source = tmp_path / "rows.csv"
    source.write_text("a,b,name\n" + "".join(f"{i}.5,0.25,n{i}\n" for i in range(20)))
    model = MODELS / "score_regression" / language
    flags = ("--target-type", "regression", "--chunk-rows", "3", "--workers", "2")
    done = score("ray", model, source, tmp_path / "out.csv", *flags)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "out.csv").read_text().split()
    assert lines == ["Predictions", *(f"{i + 1}.0" for i in range(20))]


WAITING = """
import os, time

FOLDER = {folder!r}

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    open(os.path.join(FOLDER, "began-" + str(os.getpid())), "w").close()
    while not os.path.exists(os.path.join(FOLDER, "go")):
        time.sleep(0.01)
    return data[["a"]].rename(columns={{"a": "Predictions"}}) * model
"""


def test_a_node_that_dies_costs_no_row(cluster, tmp_path):
    """Actors on all nodes have chunks when one node is killed; others take what it had."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "custom.py").write_text(WAITING.format(folder=str(tmp_path)))
    source = tmp_path / "rows.csv"
    source.write_text("a\n" + "".join(f"{i}\n" for i in range(200)))
    node = cluster.add_node(num_cpus=2)
    flags = ("--target-type", "regression", "--chunk-rows", "10", "--workers", "6")
    words = command("ray", model, source, tmp_path / "out.csv", *flags)
    running = subprocess.Popen([*words, "--ray-address", cluster.address], stderr=subprocess.PIPE)
    try:
        wait_until(lambda: len(list(tmp_path.glob("began-*"))) >= 6)
        cluster.remove_node(node, allow_graceful=False)
        (tmp_path / "go").touch()
        said = running.communicate(timeout=LONGEST)[1].decode()
    finally:
        running.kill()
    assert running.returncode == 0, said
    assert "an actor was lost" in said
    lines = (tmp_path / "out.csv").read_text().split()
    assert lines == ["Predictions", *(f"{2 * i}.0" for i in range(200))]


def wait_until(reached):
    until = time.monotonic() + LONGEST
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_model_that_cannot_load_ends_the_command(score, tmp_path):
    source = tmp_path / "rows.csv"
    source.write_text("a,b,name\n1,2,n\n")
    flags = ("--target-type", "regression")
    model = MODELS / "raises_in_load" / "python"
    done = score("ray", model, source, tmp_path / "out.csv", *flags)
    assert (done.returncode, "load went wrong" in done.stderr) == (1, True), done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_a_bad_row_goes_to_the_rejects(score, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "custom.py").write_text(
        "import os\n\ndef load_model(code_dir):\n    return 2.0\n\n"
        "def score(data, model, **kwargs):\n"
        "    if (data['a'] == 7).any():\n        os._exit(3)\n"
        "    return data[['a']].rename(columns={'a': 'Predictions'}) * model\n"
    )
    source = tmp_path / "rows.csv"
    source.write_text("a\n" + "".join(f"{i}\n" for i in range(20)))
    flags = ("--target-type", "regression", "--chunk-rows", "5", "--on-error", "skip")
    done = score("ray", model, source, tmp_path / "out.csv", *flags)
    assert done.returncode == 0, done.stderr
    kept = [i for i in range(20) if i != 7]
    assert (tmp_path / "out.csv").read_text().split() == [
        "Predictions",
        *(f"{2 * i}.0" for i in kept),
    ]
    assert "7" in (tmp_path / "out.csv.rejects.csv").read_text()


def test_an_address_without_ray_is_refused(tmp_path):
    source = tmp_path / "rows.csv"
    source.write_text("a\n1\n")
    flags = ("--target-type", "regression", "--ray-address", "auto")
    model = MODELS / "score_regression" / "python"
    words = command("local", model, source, tmp_path / "out.csv", *flags)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, "--ray-address needs --engine ray" in done.stdout) == (1, True)


def test_a_dataset_of_ray_data_goes_through_an_actor_pool(cluster, breast_cancer):
    rows = pd.read_csv(breast_cancer / "input.csv")
    expected = pd.read_csv(breast_cancer / "expected.csv")
    rows["id"] = range(len(rows))
    dataset = ray.data.from_pandas(rows).repartition(8)
    answers = predict_dataset(
        dataset, breast_cancer / "model", passthrough=["id"], concurrency=2, batch_rows=100
    ).to_pandas()
    answers = answers.sort_values("id").reset_index(drop=True)
    found = answers[list(expected.columns)].astype("float64")  # Ray gives Arrow's own dtype
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9)


def test_an_error_of_the_model_ends_the_dataset_with_its_message(cluster, tmp_path):
    (tmp_path / "custom.py").write_text(
        "def load_model(code_dir):\n    return 1\n\n"
        "def score(data, model, **kwargs):\n    raise ValueError('score went wrong')\n"
    )
    dataset = ray.data.from_items([{"a": 1}])
    with pytest.raises(Exception, match="score went wrong"):
        predict_dataset(dataset, tmp_path, target_type="regression").take_all()
