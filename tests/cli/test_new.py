"""``polyhost new model``: what it makes runs as it is, in every language."""

from __future__ import annotations

import pytest

from polyhost.bridges import BRIDGES, TEMPLATES
from polyhost.cli.new import SUFFIX

KINDS = {
    "regression": ([], "Predictions\n0.0\n0.0\n"),
    "binary": (
        ["--positive-class-label", "yes", "--negative-class-label", "no"],
        "yes,no\n0.5,0.5\n0.5,0.5\n",
    ),
    "multiclass": (
        ["--class-labels", "a b", "c", "1", "d"],
        "a b,c,1,d\n0.25,0.25,0.25,0.25\n0.25,0.25,0.25,0.25\n",
    ),
    "unstructured": ([], "x,y\n1,u\n2,v\n"),
}
each_language = pytest.mark.parametrize(
    "language", [pytest.param(name, marks=pytest.mark.runtime(name)) for name in BRIDGES]
)


@each_language
@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_as_generated(polyhost, tmp_path, language, kind):
    made = polyhost("new", "model", "-cd", "deep/mine", "--language", language)
    assert made.code == 0, made.err
    (tmp_path / "in.csv").write_text("x,y\n1,u\n2,v\n", encoding="utf-8")
    flags, expected = KINDS[kind]
    done = polyhost(
        *["score", "-cd", "deep/mine", "--input", "in.csv", "--output", "out.csv"],
        *["--target-type", kind, *flags],
    )
    assert (done.code, done.err) == (0, "")
    found = (tmp_path / "out.csv").read_text(encoding="utf-8")
    if kind == "binary":  # in whatever order the template has them
        assert sorted(found.splitlines()[0].split(",")) == ["no", "yes"]
        assert found.splitlines()[1:] == expected.splitlines()[1:]
    else:
        assert found == expected


@pytest.mark.parametrize("language", BRIDGES)
def test_it_holds_hooks_and_a_readme(polyhost, tmp_path, language):
    done = polyhost("new", "model", "--language", language, env={"CODE_DIR": "mine"})
    assert done.code == 0, done.err
    (template,) = (TEMPLATES / language).iterdir()
    name = template.name[: -len(SUFFIX)]
    assert name in BRIDGES[language].custom
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {name, "README.md"}
    assert f"`{name}` holds its hooks" in (tmp_path / "mine" / "README.md").read_text("utf-8")


def test_a_folder_that_is_there_ends_with_2(polyhost, tmp_path):
    (tmp_path / "mine").mkdir()
    done = polyhost("new", "model", "-cd", "mine", "--language", "python")
    assert done.code == 2
    assert "is there already" in done.err


def test_new_without_model_prints_its_help(polyhost):
    done = polyhost("new")
    assert done.code == 1
    assert "usage: polyhost new" in done.out


@pytest.mark.parametrize("place", [1, 2])
def test_what_to_say_may_stand_before_model(polyhost, place):
    words = ["new", "model", "-cd", "mine", "--language", "python"]
    words[place:place] = ["--verbose", "--logging-level", "info"]
    done = polyhost(*words)
    assert done.code == 0, done.err
    assert done.out.startswith("Detected new mode\n")
