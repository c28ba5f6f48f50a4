"""The contract of the drop-in environments: their files, and start_server.sh run for real."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support.command import clean_environment
from support.drop_in import contexts
from support.served import ANY_PORT, Served

from polyhost import __version__
from polyhost.bridges import BRIDGES

FOLDER = Path(__file__).resolve().parents[2] / "dropin_envs"
ENVIRONMENTS = sorted(path for path in FOLDER.iterdir() if path.is_dir() and path.name != "shared")
FILES = {"Dockerfile", "README.md", "env_info.json", "requirements.txt", "start_server.sh"}
FILES |= {"Dockerfile.in", "requirements.in"}
KEYS = {
    *("id", "name", "description", "programmingLanguage", "label", "environmentVersionId"),
    *("environmentVersionDescription", "isPublic", "isDownloadable", "useCases", "contextUrl"),
    *("imageRepository", "tags"),
}
VARIABLES = {
    "PYTHONUNBUFFERED": "1",
    "HOME": "/opt",
    "CODE_DIR": "/opt/code",
    "ADDRESS": "0.0.0.0:8080",
    "WITH_ERROR_SERVER": "1",
}
CUSTOM = """
import pandas as pd

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["a"] * model})
"""
METADATA = "name: double\ntype: inference\ntargetType: regression\n"

each_environment = pytest.mark.parametrize("folder", ENVIRONMENTS, ids=lambda path: path.name)


def info_of(folder: Path) -> dict[str, object]:
    return json.loads((folder / "env_info.json").read_text(encoding="utf-8"))


def test_there_is_one_for_each_language_and_one_for_all():
    languages = {info_of(folder)["programmingLanguage"] for folder in ENVIRONMENTS}
    assert languages == {*BRIDGES, "other"}


@each_environment
def test_what_it_shares_is_a_copy_of_the_shared_parts(folder):
    assert folder.name in contexts.names()
    for name, (text, mode) in contexts.rendered(folder.name).items():
        path = folder / name
        assert path.read_text(encoding="utf-8") == text, "run `tools/images.py render`"
        assert path.stat().st_mode & 0o111 == mode & 0o111


def test_every_shared_part_is_included_somewhere():
    sources = "".join((folder / "Dockerfile.in").read_text() for folder in ENVIRONMENTS)
    parts = {path.stem for path in (FOLDER / "shared").glob("*.docker")}
    assert parts == set(re.findall(r"^INCLUDE (\w+)$", sources, re.MULTILINE))


def test_no_two_share_an_id():
    ids = [info_of(folder)[key] for folder in ENVIRONMENTS for key in sorted(KEYS) if "Id" in key]
    ids += [info_of(folder)["id"] for folder in ENVIRONMENTS]
    assert len(set(ids)) == len(ids)


@each_environment
def test_its_files(folder):
    assert {path.name for path in folder.iterdir()} >= FILES
    info = info_of(folder)
    assert set(info) == KEYS
    assert all(re.fullmatch("[0-9a-f]{24}", info[key]) for key in ("id", "environmentVersionId"))
    assert info["useCases"] == ["customModel"]
    assert info["tags"] == [f"v{__version__}"]
    assert info["environmentVersionDescription"] == f"polyhost {__version__}"
    assert info["imageRepository"] == f"polyhost-{folder.name.replace('_', '-')}"


def test_all_that_there_are_are_in_the_table_of_the_documentation():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[(\w+)\]", text, re.MULTILINE)) == [
        folder.name for folder in ENVIRONMENTS
    ]


def test_all_that_were_measured_are_there():
    text = (FOLDER.parent / "docs" / "environments-images.md").read_text(encoding="utf-8")
    measured = re.findall(r"^\| (\w+) \| \d+ MB \| [\d.]+ \|$", text, re.MULTILINE)
    assert set(measured) <= {folder.name for folder in ENVIRONMENTS}


@each_environment
def test_its_requirements_are_pinned_and_name_this_version(folder):
    lines = (folder / "requirements.txt").read_text(encoding="utf-8").split()
    assert all(re.fullmatch(r"[\w.-]+(\[[\w,]+\])?==[\w.]+", line) for line in lines)
    assert re.sub(r"\[[\w,]+\]", "", lines[0]) == f"polyhost=={__version__}"


@each_environment
def test_all_that_it_asks_for_is_among_its_pinned_requirements(folder):
    wanted = (folder / "requirements.in").read_text(encoding="utf-8").split()
    pinned = (folder / "requirements.txt").read_text(encoding="utf-8")
    assert all(re.search(rf"^{re.escape(name)}==", pinned, re.MULTILINE) for name in wanted)


@each_environment
def test_all_that_polyhost_needs_is_among_its_pinned_requirements(folder):
    tomllib = pytest.importorskip("tomllib", reason="Python before 3.11 reads no TOML")
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text("utf-8"))["project"]
    own, *pinned = (folder / "requirements.txt").read_text(encoding="utf-8").split()
    extras = re.findall(r"\w+", own.partition("[")[2].partition("]")[0])
    needed = [*project["dependencies"]]
    for extra in extras:
        needed += project["optional-dependencies"][extra]
    names = {Requirement(line).name for line in needed}
    assert names <= {line.partition("==")[0] for line in pinned}, "run `tools/images.py lock`"


@each_environment
def test_its_image_keeps_the_contract(folder):
    text = (folder / "Dockerfile").read_text(encoding="utf-8")
    assert text.count("\nFROM ") > 1, "the tools that build are not in the image"
    assert text.startswith(contexts.NOTE)
    found = dict(re.findall(r"^\s*(?:ENV )?(\w+)=(\S+)", text, re.MULTILINE))
    assert {name: found.get(name) for name in VARIABLES} == VARIABLES
    assert "WORKDIR /opt/code\n" in text
    assert "EXPOSE 8080\n" in text
    assert "\nHEALTHCHECK " in text
    assert "COPY --chown=10001:0 *.sh /opt/code/\nUSER 10001:0\n" in text
    assert text.endswith('ENTRYPOINT ["/opt/polyhost/start_server.sh"]\n')
    copied = re.findall(r"^COPY (?!--)(\S+)", text, re.MULTILINE)
    assert all(name == "." or list(folder.glob(name)) for name in copied)


TRAINABLE = [folder for folder in ENVIRONMENTS if (folder / "fit.sh").exists()]


def test_languages_that_can_be_trained_have_a_script_for_it():
    languages = {info_of(folder)["programmingLanguage"] for folder in TRAINABLE}
    assert languages == {"python", "r", "other"}


@pytest.mark.parametrize("name", ["start_server.sh", "fit.sh"])
def test_its_scripts_are_plain_sh(name):
    script = FOLDER / "shared" / name
    assert os.access(script, os.X_OK)
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
    if shutil.which("shellcheck"):
        assert subprocess.run(["shellcheck", script], check=False).returncode == 0


@pytest.fixture
def start(tmp_path):
    """Starts the entry point beside a model, as the image does; stopped after the test."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "custom.py").write_text(CUSTOM, encoding="utf-8")
    shutil.copy(ENVIRONMENTS[0] / "start_server.sh", model)
    servers = []

    def run(*arguments: str, **variables: str) -> Served:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        fixed = {"CODE_DIR": str(model), "ADDRESS": ANY_PORT, "TARGET_TYPE": "regression"}
        environment = clean_environment(tmp_path, **{**fixed, **variables})
        with open(tmp_path / "out", "wb") as out, open(tmp_path / "err", "wb") as err:
            process = subprocess.Popen(
                [model / "start_server.sh", *arguments],
                cwd=model,
                env={**environment, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        servers.append(Served(process, tmp_path, exit_code=130))
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


def test_the_entry_point_serves_what_the_variables_say(start):
    server = start(URL_PREFIX="/deployment/7")
    server.wait_answering("/deployment/7/")
    assert server.post("/deployment/7/predict/", "a\n1\n2.5\n").json() == {"predictions": [2, 5]}
    assert server.client.get("/deployment/7/info/").json()["language"] == "python"
    assert "Environment:" not in server.out


def test_the_entry_point_forwards_its_arguments(start):
    server = start("--target-type=anomaly", ENABLE_CUSTOM_MODEL_RUNTIME_ENV_DUMP="1")
    server.wait_answering("/")
    assert server.client.get("/info/").json()["targetType"] == "anomaly"
    assert "Running: polyhost server --target-type=anomaly" in server.out
    assert "ADDRESS=127.0.0.1:" in server.out


def test_a_folder_of_models_is_served_whole(start, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(tmp_path / "model", tmp_path / "models" / name)
        (tmp_path / "models" / name / "start_server.sh").unlink()
        (tmp_path / "models" / name / "model-metadata.yaml").write_text(METADATA)
    server = start(CODE_DIR=str(tmp_path / "models"), TARGET_TYPE="")
    server.exit_code = 0
    server.wait_answering("/readyz")
    assert server.post("/models/two/predict/", "a\n1\n").json() == {"predictions": [2]}
    assert server.client.get("/models/one/info/").json()["language"] == "python"


def test_a_model_that_cannot_be_loaded_is_told_with_513(start, tmp_path):
    (tmp_path / "model" / "custom.py").write_text("1 / 0", encoding="utf-8")
    server = start(WITH_ERROR_SERVER="1")
    server.wait_answering("/", status=513)
    reply = server.post("/predict/", "a\n1\n")
    assert (reply.status_code, "division by zero" in reply.text) == (513, True)


FIT = """
import json
from pathlib import Path

def fit(X, y, output_dir, row_weights, parameters, **kwargs):
    told = [list(X.columns), y.tolist(), row_weights.tolist(), parameters]
    Path(output_dir, "told.json").write_text(json.dumps(told))

def load_model(code_dir):
    return 1.0

def score(data, model, **kwargs):
    return (data[["a"]] * model).set_axis(["Predictions"], axis=1)
"""


def train(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script on what is in the folders ``task`` and ``data``."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [TRAINABLE[0] / "fit.sh"],
        env={**clean_environment(tmp_path, **variables), "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_a_training_run(tmp_path):
    data = {
        "X.tsv": "a,b\n1,2\n3,4\n",
        "y.csv": "y\n5\n6\n",
        "weights.csv": "w\n1\n2\n",
        "parameters.json": '{"depth": 3}',
    }
    for name in ("task", "data dir", "trained"):
        (tmp_path / name).mkdir()
    for name, text in data.items():
        (tmp_path / "data dir" / name).write_text(text, encoding="utf-8")
    (tmp_path / "task" / "custom.py").write_text(FIT, encoding="utf-8")
    done = train(
        tmp_path,
        CODEPATH=str(tmp_path / "task"),
        CODE_DIR="/opt/code",
        INPUT_DIRECTORY=str(tmp_path / "data dir"),
        ARTIFACT_DIRECTORY=str(tmp_path / "trained"),
        TRAINING_DATA_EXTENSION=".tsv",
        TARGET_TYPE="regression",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Success" in done.stdout
    told = json.loads((tmp_path / "trained" / "told.json").read_text(encoding="utf-8"))
    assert told == [["a", "b"], [5, 6], [1, 2], {"depth": 3}]


def test_a_training_run_that_lacks_a_folder(tmp_path):
    done = train(tmp_path, CODEPATH=str(tmp_path))
    assert done.returncode != 0
    assert "INPUT_DIRECTORY" in done.stderr
