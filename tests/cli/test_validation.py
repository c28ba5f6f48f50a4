"""``polyhost validation``: what each check finds, and the exit codes."""

from __future__ import annotations

import re

import pytest

from polyhost.cli.dataset import Rows

HEAD = """
import os
import pandas as pd

asked = []
code = None

def load_model(code_dir):
    global code
    code = code_dir
    return 2.0

"""
GOOD = (
    "def score(data, model, **kwargs):\n    return pd.DataFrame({'p': data['a'].fillna(0) * model})"
)
NO_NULLS = """
def score(data, model, **kwargs):
    if data["b/ 'c'"].isna().all():
        raise ValueError("no c here")
    return pd.DataFrame({"p": data["a"]})
"""
REMEMBERS = """
def score(data, model, **kwargs):
    asked.append(1)
    return pd.DataFrame({"p": data["a"].fillna(0) * len(asked)})
"""
CENTRES = "def score(data, model, **kwargs):\n    return pd.DataFrame({'p': data['a'] - data['a'].mean()})"
WRITES = """
def score(data, model, **kwargs):
    with open(os.path.join(code, "cache"), "w") as file:
        file.write("x")
    return pd.DataFrame({"p": data["a"].fillna(0)})
"""
EXITS = """
def score(data, model, **kwargs):
    if data["a"].isna().all():
        os._exit(3)
    return pd.DataFrame({"p": data["a"]})
"""
DATA = "a,\"b/ 'c'\"\n" + "".join(f"{i},x\n" for i in range(30))


@pytest.fixture
def validate(polyhost, tmp_path):
    """Validates a model of these hooks; the result, and status by check."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "in.csv").write_text(DATA, encoding="utf-8")

    def run(hooks, *flags, data="in.csv", kind="regression"):
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / "custom.py").write_text(HEAD + hooks, encoding="utf-8")
        done = polyhost(
            *["validation", "-cd", "model", "--input", data, "--target-type", kind, *flags],
            env={"TMPDIR": str(tmp_path / "kept")},
        )
        found = dict(re.findall(r"^(\w.*?\w) {2,}(PASSED|FAILED)", done.out, re.MULTILINE))
        return done, found

    return run


BASIC = {"Basic batch prediction": "PASSED"}
ALL = {
    **BASIC,
    "Null value imputation": "PASSED",
    "Side effects: predictions": "PASSED",
    "Side effects: code dir": "PASSED",
}


def test_a_good_model_passes_and_nothing_is_kept(validate, tmp_path):
    done, found = validate(GOOD)
    assert (done.code, found) == (0, ALL)
    assert not list((tmp_path / "kept").iterdir())


def test_a_column_that_may_not_be_missing(validate, tmp_path):
    done, found = validate(NO_NULLS)
    assert (done.code, found) == (1, {**ALL, "Null value imputation": "FAILED"})
    assert "Failed feature: b/ 'c'" in done.out
    assert "ValueError: no c here" in done.out
    (kept,) = (tmp_path / "kept").glob("drum_validation_checks_*/*.csv")
    assert f"Dataset: {kept}" in done.out
    assert kept.read_text(encoding="utf-8").splitlines()[:2] == ["a,b/ 'c'", "0,"]


def test_exit_zero_is_the_old_way(validate):
    assert validate(NO_NULLS, "--exit-zero")[0].code == 0


@pytest.mark.parametrize(
    ("hooks", "check", "says"),
    [
        (REMEMBERS, "predictions", "other predictions the second time"),
        (CENTRES, "predictions", "10 rows on their own gave other predictions"),
        (WRITES, "code dir", "written while the model ran: cache"),
    ],
)
def test_side_effects(validate, hooks, check, says):
    done, found = validate(hooks)
    assert (done.code, found) == (1, {**ALL, f"Side effects: {check}": "FAILED"})
    assert says in done.out


def test_a_model_that_ends_its_process_fails_one_check(validate):
    done, found = validate(EXITS)
    assert (done.code, found) == (1, {**ALL, "Null value imputation": "FAILED"})
    assert "Failed feature: a\n" in re.sub(r" +\n", "\n", done.out)


@pytest.mark.parametrize("hooks", ["1 / 0", "def score(data, model, **kwargs):\n    return None"])
def test_a_model_that_does_not_work_at_all(validate, hooks):
    done, found = validate(hooks)
    assert (done.code, found) == (
        1,
        {"Basic batch prediction": "FAILED", "Null value imputation": "FAILED"},
    )


def test_an_unstructured_model_is_asked_once(validate, tmp_path):
    (tmp_path / "text").write_text("hello", encoding="utf-8")
    hooks = "def score_unstructured(model, data, query, **kw):\n    return data + query['x']"
    done, found = validate(hooks, "--query", "x=1", data="text", kind="unstructured")
    assert (done.code, found) == (0, {**BASIC, "Side effects: code dir": "PASSED"})


def test_wrong_options_end_with_1(validate):
    done, _ = validate(GOOD, "--query", "x=1")
    assert done.code == 1
    assert done.out.startswith("--query is for unstructured models")


def test_a_file_is_written_as_it_was_read():
    rows = Rows.read(b'\xef\xbb\xbfa,"b, c"\r\n007,"x ""y"""\r\n\r\n,\n')
    assert rows.encoded() == b'a,"b, c"\n007,"x ""y"""\n,\n'
    assert rows.blanked(0).encoded() == b'a,"b, c"\n,"x ""y"""\n,\n'
    assert rows.repeated(3) == b'a,"b, c"\n007,"x ""y"""\n,\n007,"x ""y"""\n'
    assert rows.rows_for(14) == 2
    assert Rows.read(b"a\n1\n\n2\n").cells == [["1"], [""], ["2"]]


NOTHING_MISSING = """
def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    lost = [name for name in data if data[name].isna().any()]
    if lost:
        raise ValueError(f"cannot do without {lost[0]}")
    return data[["a"]].rename(columns={"a": "Predictions"}) * 0 + 1
"""


def test_columns_that_fail_alike_are_listed_once(validate):
    done, _ = validate(NOTHING_MISSING)
    said = re.sub(r" +\n", "\n", done.out)
    assert said.count("cannot do without") == 1, said
    assert "Failed feature: a\n" in said
    assert "As well with: b/ 'c'" in said
