"""Each image starts on the example model of its language, as each platform would start it."""

from __future__ import annotations

import csv
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.containers import Wanted
from support.drop_in import BUILT, tag_of

TOLERANCE = 1e-9
ANYBODY = "12345"


@dataclass(frozen=True)
class Example:
    """A model that an image starts on, and what the model's files do not say."""

    language: str
    scenario: str = "regression"
    variables: tuple[tuple[str, str], ...] = ()


EXAMPLES = {
    "python3_sklearn": Example("python"),
    "java_codegen": Example("java"),
    "r_lang": Example("r"),
    "julia_mlj": Example("julia", variables=(("TARGET_TYPE", "regression"),)),
}
SINGLE = [name for name in BUILT if name in EXAMPLES]


@pytest.fixture(scope="module", params=SINGLE)
def image(request):
    return request.param


@pytest.fixture
def example(image, examples):
    chosen = EXAMPLES[image]
    return examples(chosen.language, chosen.scenario, tag_of(image))


def predictions(text: str) -> list[float]:
    header, *rows = csv.reader(text.splitlines())
    assert header == ["Predictions"]
    return [float(row[0]) for row in rows]


def expected(example: Path):
    found = predictions((example / "expected.csv").read_text(encoding="utf-8"))
    return pytest.approx(found, rel=TOLERANCE)


def predicted(running, example: Path, path: str) -> list[float]:
    headers = {"Content-Type": "text/csv"}
    body = (example / "input.csv").read_bytes()
    reply = running.request("POST", path, content=body, headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.json()["predictions"]


def wanted(image: str, **options) -> Wanted:
    environment = {**dict(EXAMPLES[image].variables), **options.pop("environment", {})}
    return Wanted(tag_of(image), environment=environment, **options)


def test_a_mounted_model_is_served_without_an_argument(engine, image, example):
    begun = time.time()
    with engine.start(wanted(image, mounts=((example / "model", "/opt/code"),))) as running:
        running.wait()
        assert predicted(running, example, "/predict/") == expected(example)
        assert running.inside(["/opt/polyhost/start_server.sh", "healthcheck"]) == 0
        started = running.processes()
        assert running.stop() == 130
        assert not [one for one in started if one.is_running()]
        if running.root:
            assert files_since(begun, running.root) == []


def files_since(begun: float, root: Path) -> list[str]:
    """What a container has written and left."""
    paths = [path for name in ("tmp", "var/tmp", "opt", "run") for path in (root / name).rglob("*")]
    return [str(path) for path in paths if path.is_file() and path.stat().st_mtime > begun]


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
