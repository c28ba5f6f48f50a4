"""Which custom files say that they can be trained."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from polyhost.code_dir.training_code import is_untrained, may_train, never_trains


@pytest.mark.parametrize(
    ("name", "text", "trains"),
    [
        ("custom.py", "def fit(X, y, output_dir):\n    pass\n", True),
        ("custom.py", "class CustomTask(Base):\n    def fit(self): pass\n", True),
        ("custom.py", "from mine import prepare, fit\n", True),
        ("custom.py", "def refit(X): pass\n# def fit(X)\nmodel.fit(X)\n", False),
        ("custom.R", "fit <- function(X, y, ...) 1\n", True),
        ("custom.R", "fit = function(X) 1\n", True),
        ("custom.R", "model <- fit(X)\nrefit <- function(X) 1\n", False),
        ("custom.jl", "function fit(X, y, dir; kwargs...)\nend\n", True),
        ("custom.jl", "module Custom\n  fit(X, y, dir) = 1\nend\n", True),
        ("custom.jl", "f(X) = begin\n  fit(X, 1)\n  fit(X) == 2\nend\n", False),
        ("Custom.java", "  @Override public void fit(Training t, Path p) {}\n", True),
        ("Custom.java", "  // fit(\n  void refit() {}\n", False),
    ],
)
def test_a_custom_file_that_trains(tmp_path: Path, name: str, text: str, trains: bool) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert may_train(tmp_path, Path(name)) is trains
    assert is_untrained(tmp_path, Path(name), ()) is trains
    assert not is_untrained(tmp_path, Path(name), (Path("model.pkl"),))


@pytest.mark.parametrize(
    ("content", "trains"),
    [(b"..(Lio/polyhost/Training;Ljava/nio/file/Path;)V..", True), (b"", False)],
)
def test_a_jar_trains_when_a_class_does(tmp_path: Path, content: bytes, trains: bool) -> None:
    with zipfile.ZipFile(tmp_path / "custom.jar", "w") as jar:
        jar.writestr("io/Custom.class", content)
    assert may_train(tmp_path, Path("custom.jar")) is trains


def test_what_is_no_file_does_not(tmp_path: Path) -> None:
    (tmp_path / "custom.jar").write_bytes(b"no jar")
    assert not may_train(tmp_path, Path("custom.jar"))
    assert not may_train(tmp_path, None)
    assert not may_train(tmp_path, Path("gone.py"))


@pytest.mark.parametrize(
    ("name", "text", "never"),
    [
        ("custom.py", "def score(data, model):\n    return refit(data)\n", True),
        ("custom.py", "from mine import *\n", False),
        ("custom.py", "fit = make()\n", False),
        ("custom.R", "source('train.R')\n", False),
        ("custom.jl", 'include("train.jl")\n', False),
        ("Custom.java", "public class Custom extends Base {}\n", False),
    ],
)
def test_what_surely_trains_nothing(tmp_path: Path, name: str, text: str, never: bool) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert never_trains(tmp_path, Path(name)) is never
    assert never_trains(tmp_path, None)
