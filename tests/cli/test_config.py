"""``polyhost config``, and a server that a file describes."""

from __future__ import annotations

import json

import pytest

CUSTOM = """
import os

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    import pandas as pd
    return pd.DataFrame({"Predictions": data["a"] * model})
"""


@pytest.fixture
def folder(tmp_path):
    for name in ("double", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "custom.py").write_text(CUSTOM, encoding="utf-8")
    (tmp_path / "polyhost.yaml").write_text(
        "defaults:\n  limits: {deadline: 30s}\n"
        "models:\n"
        "  double: {path: double, target: regression, environment: {API_KEY: hush}}\n"
        "  other: {path: other, target: regression}\n",
        encoding="utf-8",
    )
    return tmp_path


@pytest.mark.parametrize("arguments", [[], ["polyhost.yaml"], ["--config", "polyhost.yaml"]])
def test_the_file_is_found_and_checked(polyhost, folder, arguments):
    done = polyhost("config", "check", *arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out == "polyhost.yaml: right; models: double, other\n"


def test_show(polyhost, folder):
    done = polyhost("config", "show", "--port", "81", env={"POLYHOST__GRACE": "5s"})
    assert (done.code, done.err) == (0, "")
    rows = dict(line.rsplit("  ", 1) for line in done.out.splitlines())
    rows = {left.rstrip(): source for left, source in rows.items()}
    assert rows["port = 81"] == "--port"
    assert rows["grace = 5s"] == "environment: POLYHOST__GRACE"
    assert rows["models.other.limits.deadline = 30s"] == "polyhost.yaml:2"
    assert rows["models.double.environment.API_KEY = ********"] == "polyhost.yaml:4"
    assert rows["host = 127.0.0.1"] == "default"


def test_show_of_folders_as_json(polyhost, folder):
    done = polyhost(
        *["config", "show", "x=double", "--target-type", "regression", "--deadline", "2m"],
        "--json",
    )
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["models.x.path"]["value"] == str(folder / "double")
    assert found["models.x.limits.deadline"] == {
        "value": 120.0,
        "source": "flag",
        "where": "--deadline",
    }
    assert found["models.x.target.type"]["where"] == "--target-type"


def test_mistakes_end_with_1(polyhost, folder):
    (folder / "bad.yaml").write_text("prot: 1\nport: x\n", encoding="utf-8")
    for command in (["config", "check"], ["config", "show"], ["serve"]):
        done = polyhost(*command, "bad.yaml")
        assert (done.code, done.out) == (1, "")
        assert "2 mistakes in the configuration:\nbad.yaml:1: unknown key 'prot'" in done.err
        assert "\nbad.yaml:2: port: expected a whole number from 0 to 65535; found 'x'." in done.err


def test_nothing_to_serve(polyhost):
    done = polyhost("serve")
    assert done.code == 1
    assert "nothing to serve: expected folders of models, or a configuration file" in done.err


def test_one_file_only(polyhost, folder):
    done = polyhost("config", "check", "polyhost.yaml", "--config", "polyhost.yaml")
    assert done.code == 1
    assert "expected one configuration file; found polyhost.yaml, polyhost.yaml." in done.err


def test_a_server_that_the_file_describes(serve, folder):
    server = serve("--config", folder / "polyhost.yaml")
    for name in ("double", "other"):
        answer = server.post(f"/models/{name}/predict/", "a\n2\n")
        assert (answer.status_code, answer.json()) == (200, {"predictions": [4.0]})
