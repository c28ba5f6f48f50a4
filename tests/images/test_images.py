"""Each image starts on the example model of its language, as each platform would start it."""

from __future__ import annotations

import csv
import os
import shutil
import socket
import subprocess
import uuid
from pathlib import Path

import pytest
from support.command import POLYHOST
from support.drop_in import BUILT, EXAMPLES, OF_POLYGLOT, Running, Wanted, tag_of
from support.wheels import wheel

from polyhost.cli.engines import find

TOLERANCE = 1e-9
ANYBODY = "12345"


SINGLE = [name for name in BUILT if name in EXAMPLES]


@pytest.fixture(scope="module", params=SINGLE)
def image(request):
    return request.param


@pytest.fixture
def example(image, made):
    return made(EXAMPLES[image], image)


def predictions(text: str) -> list[float]:
    header, *rows = csv.reader(text.splitlines())
    assert header == ["Predictions"]
    return [float(row[0]) for row in rows]


def expected(example: Path):
    found = predictions((example / "expected.csv").read_text(encoding="utf-8"))
    return pytest.approx(found, rel=TOLERANCE)


def predicted(running: Running, example: Path, path: str) -> list[float]:
    headers = {"Content-Type": "text/csv"}
    body = (example / "input.csv").read_bytes()
    reply = running.request("POST", path, content=body, headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.json()["predictions"]


def wanted(image: str, **options) -> Wanted:
    environment = {**EXAMPLES[image].variables, **options.pop("environment", {})}
    return Wanted(tag_of(image), environment=environment, **options)


def test_a_mounted_model_is_served_without_an_argument(engine, image, example):
    with engine.start(wanted(image, mounts=((example / "model", "/opt/code"),))) as running:
        before = files_of(running.root)
        running.wait()
        assert predicted(running, example, "/predict/") == expected(example)
        assert running.inside(["/opt/polyhost/start_server.sh", "healthcheck"]) == 0
        started = running.processes()
        assert running.stop() == 130
        assert not [one for one in started if one.is_running()]
        assert files_of(running.root) == before


def files_of(root: Path | None) -> dict[str, int]:
    """The files that a container may write, and their sizes, where they can be seen from here."""
    if root is None:
        return {}
    paths = [path for name in ("tmp", "var/tmp", "opt", "run") for path in (root / name).rglob("*")]
    return {str(path): path.stat().st_size for path in paths if path.is_file()}


def test_any_user_on_a_read_only_root_in_kserves_folder(engine, image, example):
    where = wanted(
        image,
        mounts=((example / "model", "/mnt/models"),),
        environment={"PORT": "9123", "URL_PREFIX": "/deployment/7"},
        user=ANYBODY,
        read_only=True,
        port=9123,
    )
    with engine.start(where) as running:
        running.wait("/deployment/7/health/")
        assert predicted(running, example, "/deployment/7/predict/") == expected(example)
        assert running.inside(["/opt/polyhost/start_server.sh", "healthcheck"]) == 0
        assert running.stop() == 130


def test_sagemakers_argument_and_folder(engine, image, example):
    mounts = ((example / "model", "/opt/ml/model"),)
    with engine.start(wanted(image, mounts=mounts, arguments=("serve",))) as running:
        running.wait("/ping")
        assert predicted(running, example, "/invocations") == expected(example)
        assert running.stop() == 130


def test_a_file_is_scored_in_the_image(polyhost, image, example, tmp_path):
    output = tmp_path / "output.csv"
    done = polyhost(
        *["score", "--code-dir", example / "model", "--input", example / "input.csv"],
        *["--output", output, "--target-type", "regression", "--docker", tag_of(image)],
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
    )
    assert done.code == 0, done.err
    assert predictions(output.read_text(encoding="utf-8")) == expected(example)


def test_a_server_in_a_container_ends_when_its_command_is_asked_to(image, example, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["server", "--code-dir", example / "model", "--target-type", "regression"]
    words += ["--address", f"127.0.0.1:{port}", "--docker", tag_of(image)]
    with open(tmp_path / "out", "wb") as out:
        process = subprocess.Popen(
            [*POLYHOST, *map(str, words)], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    url = f"http://127.0.0.1:{port}"
    running = Running(process, url, lambda work: work(), process.terminate, tmp_path / "out")
    running.wait()
    assert predicted(running, example, "/predict/") == expected(example)
    assert running.stop() == 130


HOOK = """
import extra

def transform(data, model):
    assert extra.__version__ == "1.0"
    return data
"""


@pytest.fixture
def tag():
    """The name of an image that is removed after the test."""
    name = f"localhost/polyhost-test:{uuid.uuid4().hex[:12]}"
    yield name
    subprocess.run([find().program, "rmi", "--force", name], capture_output=True, check=False)


@pytest.mark.parametrize("image", [name for name in BUILT if name == "python3_sklearn"])
def test_an_image_of_one_model_with_its_requirements(polyhost, engine, made, image, tmp_path, tag):
    example = made(EXAMPLES[image], image)
    folder = tmp_path / "prices"
    shutil.copytree(example / "model", folder)
    (folder / "custom.py").write_text(HOOK, encoding="utf-8")
    (folder / "requirements.txt").write_text(f"./{wheel(folder, 'extra', '1.0').name}\n")
    done = polyhost(
        *["build-image", "-m", folder, "-t", tag, "--target-type", "regression"],
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
    )
    assert done.code == 0, done.err
    assert f"Image successfully built; tag: {tag}" in done.out
    with engine.start(Wanted(tag, user=ANYBODY, read_only=True)) as running:
        running.wait()
        assert predicted(running, example, "/predict/") == expected(example)
        assert running.stop() == 130


@pytest.mark.skipif("polyglot" not in BUILT, reason="polyglot is not among POLYHOST_IMAGES")
def test_models_of_all_languages_behind_one_server(engine, made, tmp_path):
    folders = {name: made(example, "polyglot") for name, example in OF_POLYGLOT.items()}
    models = tmp_path / "models"  # the folder above is closed to other users
    for name, folder in folders.items():
        shutil.copytree(folder / "model", models / name)
        about = models / name / "model-metadata.yaml"
        if not about.exists():
            about.write_text(f"name: {name}\ntargetType: regression\n", encoding="utf-8")
    where = Wanted(
        tag_of("polyglot"), mounts=((models, "/opt/code"),), user=ANYBODY, read_only=True
    )
    with engine.start(where) as running:
        running.wait("/readyz")
        for name, folder in folders.items():
            assert predicted(running, folder, f"/models/{name}/predict/") == expected(folder), name
        assert running.inside(["/opt/polyhost/start_server.sh", "healthcheck"]) == 0
        assert running.stop() == 0
