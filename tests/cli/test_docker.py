"""``--docker`` against a stand-in for docker, which runs the command here with the paths mapped."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from polyhost import __version__
from polyhost.cli.docker import tag_of
from polyhost.cli.flags import memory_size

DOCKER = """#!{python}
import json, os, shutil, subprocess, sys

words = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "log"), "a") as log:
    log.write(json.dumps(words) + "\\n")
if words[0] == "version":
    sys.exit(0)
if words[:2] == ["image", "inspect"]:
    sys.exit(0 if words[2] == "models:1" else 1)
if words[0] == "build":
    with open(words[words.index("--iidfile") + 1], "w") as noted:
        noted.write("sha256:1234")
    shutil.copy(os.path.join(words[-1], "Dockerfile"), os.path.join(here, "Dockerfile"))
    sys.exit(0)
assert words[0] == "run", words
command = words[words.index(os.environ["IMAGE"]) + 1:]
if command[0] == "sh":
    print(os.environ["INSIDE"])
    sys.exit(0)
mounts = [words[i + 1].rpartition(":") for i, word in enumerate(words) if word == "-v"]
paths = {{inside: host for host, _, inside in mounts}}
mapped = [paths.get(word, word) for word in command[1:]]
sys.exit(subprocess.run([{python!r}, "-m", "polyhost", *mapped]).returncode)
"""
CUSTOM = """
import pandas as pd

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    if kwargs.get("class_labels"):
        return pd.DataFrame({label: [1 / 3] * len(data) for label in kwargs["class_labels"]})
    return pd.DataFrame({"Predictions": data["a"] * model})
"""
REGRESSION = ["--target-type", "regression"]
USER = f"{os.getuid()}:{os.getgid()}"


@pytest.fixture
def folder(tmp_path):
    """The folder that commands run in: a model, its data, and an engine on the path."""
    for name in ("model", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "model" / "custom.py").write_text(CUSTOM, encoding="utf-8")
    (tmp_path / "in.csv").write_text("a\n1\n2.5\n", encoding="utf-8")
    program = tmp_path / "bin" / "docker"
    program.write_text(DOCKER.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


@pytest.fixture
def run(polyhost, folder):
    """The command with that engine; its result and the engine's last arguments."""

    def start(*words, image="models:1", inside=f"polyhost {__version__}", **variables):
        env = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "IMAGE": image, "INSIDE": inside}
        done = polyhost(*words, "--docker", image, env={**env, **variables})
        log = folder / "bin" / "log"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else ["null"]
        return done, json.loads(lines[-1])

    return start


def test_score_in_a_container(run, folder):
    done, words = run(
        *["score", "-cd", "model", "--input", "in.csv", "--output", "out.csv", *REGRESSION],
        *["--memory", "512m"],
    )
    assert (done.code, done.err) == (0, "")
    assert (folder / "out.csv").read_text(encoding="utf-8") == "Predictions\n2.0\n5.0\n"
    new = next(word for word in words if word.endswith(":/opt/output.csv")).partition(":")[0]
    assert Path(new).parent.parent == folder
    assert not Path(new).exists()
    assert words == [
        *["run", "--rm", "--init", "--interactive", "--entrypoint", ""],
        *["--memory", "512m", "--memory-swap", "512m", "--user", USER],
        *["-v", f"{folder}/model:/opt/model", "-v", f"{folder}/in.csv:/opt/input.csv"],
        *["-v", f"{new}:/opt/output.csv", "models:1", "polyhost", "score"],
        *["--code-dir", "/opt/model", "--input", "/opt/input.csv", "--output", "/opt/output.csv"],
        *REGRESSION,
    ]


def test_a_container_that_fails_keeps_the_good_file(run, folder):
    (folder / "out.csv").write_text("good\n", encoding="utf-8")
    (folder / "in.csv").write_text("b\n1\n", encoding="utf-8")
    done, _ = run("score", "-cd", "model", "--input", "in.csv", "--output", "out.csv", *REGRESSION)
    assert done.code == 1
    assert (folder / "out.csv").read_text(encoding="utf-8") == "good\n"
    assert not list(folder.glob(".polyhost-*"))


def test_what_the_environment_says_goes_along(run, folder):
    (folder / "labels").write_text("a b\nc\nd\n", encoding="utf-8")
    done, words = run(
        *["score", "--input", "in.csv"],
        CODE_DIR="model",
        TARGET_TYPE="multiclass",
        CLASS_LABELS_FILE="labels",
        TARGET_NAME="answer",
    )
    assert done.code == 0
    assert done.out.splitlines()[0].split() == ["a", "b", "c", "d"]
    assert words[words.index("--class-labels") :] == ["--class-labels", "a b", "c", "d"]
    assert words[words.index("--env") + 1] == "TARGET_NAME=answer"


def test_an_input_of_another_kind_keeps_the_end_of_its_name(run, folder):
    (folder / "in.mtx").write_text("", encoding="utf-8")
    _, words = run("score", "-cd", "model", "--input", "in.mtx", *REGRESSION)
    assert f"{folder}/in.mtx:/opt/input.mtx" in words


@pytest.mark.parametrize(
    ("address", "published", "inside"),
    [
        ("0.0.0.0:8080", "8080:8080", "0.0.0.0:8080"),
        ("localhost:6789", "127.0.0.1:6789:6789", "0.0.0.0:6789"),
    ],
)
def test_a_server_is_published_at_its_port(run, address, published, inside):
    _, words = run("server", "-cd", "model", "--address", address, "--target-type", "transform")
    assert words[words.index("-p") + 1] == published
    assert words[words.index("--address") + 1] == inside


def test_fit_in_a_container(run, folder):
    (folder / "model" / "custom.py").write_text(
        "def fit(X, y, output_dir, **kwargs):\n    open(output_dir + '/made', 'w').close()"
    )
    (folder / "target.csv").write_text("t\n1\n2\n", encoding="utf-8")
    (folder / "trained").mkdir()
    done, words = run(
        *["fit", "-cd", "model", "--input", "in.csv", "--target-csv", "target.csv", *REGRESSION],
        *["--output", "trained", "--skip-predict"],
    )
    assert (done.code, (folder / "trained" / "made").exists()) == (0, True), done.err
    assert f"{folder}/trained:/opt/fit_output_dir" in words
    assert f"{folder}/target.csv:/opt/fit_target.csv" in words


def test_a_server_needs_a_port(run):
    done, _ = run("server", "-cd", "model", "--address", "localhost", *REGRESSION)
    assert done.code == 1
    assert "--address 'localhost' lacks a port" in done.err


@pytest.mark.parametrize(
    ("inside", "program", "says"),
    [
        ("drum 1.17.20", "drum", "holds drum 1.17.20, which will run"),
        ("polyhost 0.0.1", "polyhost", f"this is {__version__}, found polyhost 0.0.1"),
        ("", "polyhost", "found none"),
    ],
)
def test_another_version_inside_is_a_warning(run, inside, program, says):
    done, words = run("score", "-cd", "model", "--input", "in.csv", *REGRESSION, inside=inside)
    assert (done.code, words[words.index("models:1") + 1]) == (0, program)
    assert says in done.err


def test_an_image_that_is_not_there(run):
    done, _ = run("score", "-cd", "model", "--input", "in.csv", *REGRESSION, image="other:1")
    assert done.code == 1
    assert "no image and no folder 'other:1'" in done.err


@pytest.mark.parametrize(
    ("flags", "lines"),
    [([], "\nRUN pip3 install 'pandas>=2' shap\n"), (["--skip-deps-install"], "")],
)
def test_a_folder_is_built_with_the_requirements_of_the_model(run, folder, flags, lines):
    (folder / "Img").mkdir()
    (folder / "Img" / "Dockerfile").write_text("FROM x\n", encoding="utf-8")
    (folder / "model" / "requirements.txt").write_text("pandas>=2\n\n# why\nshap\n")
    tag = tag_of(folder / "Img")
    done, words = run(
        *["score", "-cd", "model", "--input", "in.csv", *REGRESSION, *flags], image="Img", IMAGE=tag
    )
    assert (done.code, done.err) == (0, "")
    assert f"Image successfully built; tag: {tag}; image id: sha256:1234" in done.out
    assert (folder / "bin" / "Dockerfile").read_text(encoding="utf-8") == f"FROM x\n{lines}"
    assert tag in words


def test_a_tag_is_the_last_two_folders(tmp_path):
    assert tag_of(tmp_path / "Public_" / "_R_Lang") == "public/r_lang"


def test_no_engine(polyhost, folder):
    done = polyhost(
        *["score", "-cd", "model", "--input", "in.csv", *REGRESSION, "--docker", "x"],
        env={"PATH": str(folder)},
    )
    assert done.code == 1
    assert "--docker needs a container engine" in done.err


def test_a_wrong_memory_ends_with_2(run):
    done, _ = run("score", "-cd", "model", "--input", "in.csv", "--memory", "much")
    assert done.code == 2
    assert memory_size("2G") == "2G"
