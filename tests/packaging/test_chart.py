"""The Helm chart, as far as it can be checked without Helm: ``make test-chart`` does the rest."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import polyhost

HERE = Path(__file__).parent
CHART = HERE.parents[1] / "charts" / "polyhost"
TEMPLATES = sorted((CHART / "templates").glob("*"))
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
COMPLETIONS = 3

STUB = """#!/bin/sh
case " $* " in *" --resume "*) ;; *) exit 9 ;; esac
while [ $# -gt 0 ]; do
    case $1 in
        --input) input=$2 ;;
        --output) output=$2 ;;
    esac
    shift
done
[ "$(cat "$input")" != bad ] || exit 1
echo "$JOB_COMPLETION_INDEX $(cat "$input")" >"$output"
"""
"""In place of the command: the output says which index wrote it."""


def test_the_defaults_are_what_the_schema_allows():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(VALUES, SCHEMA)


@pytest.mark.parametrize(
    "path", sorted(HERE.glob("chart_values/*.yaml")), ids=lambda path: path.stem
)
def test_configurations_are_what_the_schema_allows(path):
    given = yaml.safe_load(path.read_text())
    merged = {
        name: {**value, **given.get(name, {})}
        if isinstance(value, dict)
        else given.get(name, value)
        for name, value in VALUES.items()
    }
    jsonschema.validate(merged, SCHEMA)
    assert set(given) <= set(VALUES)


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        ("serve", {"replica": 3}),
        ("serve", {"port": "8080"}),
        ("config", {"port": 9000}),
        ("models", {"a model": "/models/a"}),
        ("batch", {"parts": [{"input": "a"}]}),
        ("colour", "blue"),
    ],
)
def test_wrong_values_are_refused(section, wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**VALUES, section: wrong}, SCHEMA)


def test_every_value_has_a_default_and_a_type_and_is_used():
    used = set()
    for path in TEMPLATES:
        used |= set(re.findall(r"\.Values\.([A-Za-z.]+[A-Za-z])", path.read_text()))
    known = set(_leaves(VALUES, SCHEMA))
    unknown = {name for name in used if not any(_covers(name, other) for other in known)}
    assert not unknown
    unused = {name for name in known if not any(_covers(name, other) for other in used)}
    assert not unused
    assert set(VALUES) | {"global"} == set(SCHEMA["properties"])


def _covers(name: str, other: str) -> bool:
    return f"{name}.".startswith(f"{other}.") or f"{other}.".startswith(f"{name}.")


def _leaves(values: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    found = []
    for name, value in values.items():
        section = schema["properties"][name]
        inside = isinstance(value, dict) and section.get("additionalProperties") is False
        found += [f"{name}.{leaf}" for leaf in _leaves(value, section)] if inside else [name]
    return found


def test_actions_of_the_templates_are_closed():
    for path in TEMPLATES:
        text = path.read_text()
        opened = re.findall(r"\{\{-? *(if|with|range|define)\b", text)
        closed = re.findall(r"\{\{-? *end\b", text)
        assert len(opened) == len(closed), path.name


def test_the_chart_is_of_this_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == polyhost.__version__


@pytest.fixture
def batch(tmp_path):
    """Run the Job's script for an index; the place of inputs and outputs is its attribute."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "polyhost").write_text(STUB)
    (tmp_path / "bin" / "polyhost").chmod(0o755)
    (tmp_path / "out").mkdir()
    (tmp_path / "parts").touch()

    def run(
        index: int, pattern: str = "in/*.csv", *arguments: str, job: str = "r-batch-1"
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", CHART / "files" / "score-part.sh", *arguments],
            env={
                "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                "MODEL": "/models/m",
                "INPUT": str(tmp_path / pattern),
                "OUTPUT_FOLDER": str(tmp_path / "out"),
                "PARTS": str(tmp_path / "parts"),
                "COMPLETIONS": str(COMPLETIONS),
                "JOB": job,
                "JOB_COMPLETION_INDEX": str(index),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def _write(folder: Path, names: list[str]) -> None:
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name)


def _outputs(folder: Path) -> dict[str, str]:
    files = [path for path in (folder / "out").iterdir() if path.is_file()]
    return {path.name: path.read_text().strip() for path in files}


def test_each_part_is_scored_by_one_index(batch, tmp_path):
    names = [f"{letter}.csv" for letter in "abcdefgh"]
    _write(tmp_path / "in", names)
    assert [batch(index).returncode for index in range(COMPLETIONS)] == [0] * COMPLETIONS
    assert _outputs(tmp_path) == {name: f"{i % COMPLETIONS} {name}" for i, name in enumerate(names)}


def test_parts_by_a_list(batch, tmp_path):
    names = ["a b.csv", "c.csv"]
    _write(tmp_path / "in", names)
    lines = [f"{tmp_path}/in/{name}\t{tmp_path}/out/{name}\n" for name in names]
    (tmp_path / "parts").write_text("".join(lines))
    assert [batch(index).returncode for index in range(2)] == [0, 0]
    assert _outputs(tmp_path) == {"a b.csv": "0 a b.csv", "c.csv": "1 c.csv"}


def test_an_index_that_starts_again_skips_what_is_finished(batch, tmp_path):
    _write(tmp_path / "in", ["a.csv", "b.csv", "c.csv", "d.csv"])
    (tmp_path / "in" / "d.csv").write_text("bad")
    assert batch(0).returncode == 1
    assert _outputs(tmp_path) == {"a.csv": "0 a.csv"}
    (tmp_path / "out" / "a.csv").write_text("kept")
    (tmp_path / "in" / "d.csv").write_text("good")
    assert batch(0).returncode == 0
    assert _outputs(tmp_path) == {"a.csv": "kept", "d.csv": "0 good"}


def test_the_output_of_another_job_is_never_taken_for_this_one(batch, tmp_path):
    _write(tmp_path / "in", ["a.csv"])
    assert batch(0).returncode == 0
    (tmp_path / "in" / "a.csv").write_text("newer")
    found = batch(0, job="r-batch-2")
    assert (found.returncode, "is there already" in found.stderr) == (2, True)
    assert _outputs(tmp_path) == {"a.csv": "0 a.csv"}
    found = batch(0, "in/*.csv", "--overwrite", job="r-batch-2")
    assert (found.returncode, _outputs(tmp_path)) == (0, {"a.csv": "0 newer"})


def test_what_cannot_be_scored_fails_the_index(batch, tmp_path):
    found = batch(0)
    assert (found.returncode, found.stderr.split(":")[0]) == (1, "no input")
    for name in ("in", "in2"):
        _write(tmp_path / name, ["a.csv"])
    found = batch(0, "in*/*.csv")
    assert found.returncode == 2
    assert "several inputs are called a.csv" in found.stderr
