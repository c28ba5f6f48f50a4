"""What has a say in a model's environment, and what has none."""

from __future__ import annotations

import pytest
from support.wheels import wheel

from polyhost.environments import Recipe
from polyhost.errors import CodeDirError


def digest(code_dir, interpreter="CPython 3.11.7"):
    return Recipe.read(code_dir).digest(interpreter)


def test_requirements_come_before_a_lock_and_that_before_a_project(code_dir):
    (code_dir / "pyproject.toml").write_text("[project]\nname = 'm'\n")
    assert Recipe.read(code_dir).source == "pyproject.toml"
    (code_dir / "uv.lock").write_text("version = 1\n")
    assert Recipe.read(code_dir).source == "uv.lock"
    (code_dir / "requirements.txt").write_text("tiny\n")
    assert Recipe.read(code_dir).source == "requirements.txt"


def test_no_requirements_are_an_error(code_dir):
    with pytest.raises(CodeDirError, match=r"expected requirements\.txt, or pyproject\.toml"):
        Recipe.read(code_dir)


def test_the_digest_follows_all_that_has_a_say(code_dir):
    (code_dir / "requirements.txt").write_text("tiny\n-r more.txt\n")
    (code_dir / "more.txt").write_text("-c=limits.txt\n./wheels/own-1.0-py3-none-any.whl  # ours\n")
    (code_dir / "limits.txt").write_text("tiny<2\n")
    wheel(code_dir / "wheels", "own", "1.0")
    seen = [digest(code_dir), digest(code_dir, "CPython 3.12.1")]
    assert digest(code_dir) == seen[0]
    (code_dir / "limits.txt").write_text("tiny<3\n")
    seen.append(digest(code_dir))
    wheel(code_dir / "wheels", "own", "1.0", requires="tiny")
    seen.append(digest(code_dir))
    (code_dir / "more.txt").write_text("-climits.txt\n")
    seen.append(digest(code_dir))
    (code_dir / "requirements.txt").write_text("tiny==1.0\n-r more.txt\n")
    seen.append(digest(code_dir))
    assert len(set(seen)) == len(seen)


def test_the_rest_of_the_folder_has_none(code_dir):
    (code_dir / "requirements.txt").write_text("tiny\n")
    before = digest(code_dir)
    (code_dir / "model.pkl").write_bytes(b"1")
    assert digest(code_dir) == before


def test_a_local_package_is_told_by_its_sources(code_dir):
    (code_dir / "requirements.txt").write_text("./own[extra] ; python_version > '3'\n")
    (code_dir / "own" / "own.egg-info").mkdir(parents=True)
    (code_dir / "own" / "own.py").write_text("A = 1\n")
    before = digest(code_dir)
    (code_dir / "own" / "own.egg-info" / "PKG-INFO").write_text("left by a build")
    assert digest(code_dir) == before
    (code_dir / "own" / "own.py").write_text("A = 2\n")
    assert digest(code_dir) != before


def test_files_that_include_each_other_end(code_dir):
    (code_dir / "requirements.txt").write_text("-r more.txt\n")
    (code_dir / "more.txt").write_text("-r requirements.txt\n")
    assert [name for name, _ in Recipe.read(code_dir).contents] == ["more.txt", "requirements.txt"]


@pytest.mark.parametrize("line", ["-e .", "--editable ./own", "-e git+https://example.org/x"])
def test_editable_packages_are_refused(code_dir, line):
    (code_dir / "requirements.txt").write_text(f"tiny\n{line}\n")
    with pytest.raises(CodeDirError, match="editable"):
        Recipe.read(code_dir)


def test_a_missing_include_is_named(code_dir):
    (code_dir / "requirements.txt").write_text("-r nowhere.txt\n")
    with pytest.raises(CodeDirError, match=r"cannot read .*nowhere\.txt"):
        Recipe.read(code_dir)


def test_the_interpreter_that_is_asked_for(code_dir):
    (code_dir / "requirements.txt").write_text("tiny\n")
    assert Recipe.read(code_dir).python is None
    (code_dir / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.9,<3.13"\n')
    assert Recipe.read(code_dir).python == ">=3.9,<3.13"
    (code_dir / ".python-version").write_text("# ours\n3.10\n3.11\n")
    assert Recipe.read(code_dir).python == "3.10"
