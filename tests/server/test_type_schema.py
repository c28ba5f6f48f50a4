"""A transform that gives other columns than its metadata promises, in a file and over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

METADATA = """\
name: t
type: training
targetType: transform
typeSchema:
  output_requirements:
    - field: number_of_columns
      condition: NOT_GREATER_THAN
      value: 1
    - field: contains_missing
      condition: EQUALS
      value: NEVER
"""
CUSTOM = """
def transform(data, transformer):
    return data
"""
SAYS = "number_of_columns NOT_GREATER_THAN 1 is required; found 2 column(s)"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "custom.py").write_text(CUSTOM, encoding="utf-8")
    (folder / "model-metadata.yaml").write_text(METADATA, encoding="utf-8")
    return folder


def test_over_http_it_is_422(serve: Any, model: Path) -> None:
    server = serve("-cd", model, command="server")
    assert server.post("/transform/", "a\n1\n2\n").status_code == 200
    reply = server.post("/transform/", "a,b\n1,2\n")
    assert (reply.status_code, reply.json()["is_schema_validation_error"]) == (422, True)
    assert reply.json()["message"].startswith(
        "ERROR: Schema validation found mismatch between output dataset and the supplied schema"
    )
    assert SAYS in reply.json()["message"]


def test_in_a_file_it_ends_with_3(polyhost: Any, model: Path, tmp_path: Path) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "out.csv"
    words = ("score", "-cd", model, "--input", rows, "--output", out, "--overwrite")
    rows.write_text("a\n1\n", encoding="utf-8")
    assert polyhost(*words).code == 0
    rows.write_text("a,b\n1,2\n", encoding="utf-8")
    done = polyhost(*words)
    assert (done.code, SAYS in done.err) == (3, True)


def test_a_wrong_schema_ends_the_start(polyhost: Any, model: Path, tmp_path: Path) -> None:
    text = METADATA.replace("NOT_GREATER_THAN", "BELOW")
    (model / "model-metadata.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "rows.csv").write_text("a\n1\n", encoding="utf-8")
    done = polyhost("score", "-cd", model, "--input", tmp_path / "rows.csv")
    assert (done.code, "takes no condition 'BELOW'" in done.err) == (1, True)
