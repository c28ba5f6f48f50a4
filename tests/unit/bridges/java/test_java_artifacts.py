"""Which artifact of several is the model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from polyhost.bridges.java import artifacts


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ("", None),
        ("model.zip", "model.zip"),
        ("a.jar b.jar", "a.jar"),
        ("lib.jar model.zip", "lib.jar"),
        ("Lib.jar a.zip", "a.zip"),
        ("GBM.java zlib.jar", "GBM.java"),
        ("a.zip b.zip", None),
        ("a.zip b.java", None),
        ("a.jar model.zip pipeline.mojo", "pipeline.mojo"),
    ],
)
def test_the_rule(names, chosen):
    found = artifacts.choose([Path(name) for name in names.split()])
    assert found == (None if chosen is None else Path(chosen))


def test_the_class_path_variable(monkeypatch, tmp_path):
    for name in ("b.jar", "a.JAR", "c.txt"):
        (tmp_path / name).touch()
    entries = ["", str(tmp_path / "*"), str(tmp_path), "relative.jar"]
    monkeypatch.setenv(artifacts.CLASS_PATH_VARIABLE, os.pathsep.join(entries))
    assert artifacts.named() == [
        *(tmp_path / "a.JAR", tmp_path / "b.jar", tmp_path),
        Path.cwd() / "relative.jar",
    ]
