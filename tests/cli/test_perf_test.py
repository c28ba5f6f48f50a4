"""``polyhost perf-test``: the table, and what makes a case fail."""

from __future__ import annotations

import pytest

from polyhost.cli import perf_test
from polyhost.cli.main import build_parser, parse
from polyhost.cli.tables import render

CUSTOM = """
import os
import pandas as pd

assert "__DRUM_PERF_TEST_SERVER__" not in os.environ  # the server's mark is not its workers'

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    rows = data.head(2) if len(data) > 5 else data
    return pd.DataFrame({"Predictions": rows["a"] * model})
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "custom.py").write_text(CUSTOM, encoding="utf-8")
    (tmp_path / "in.csv").write_text("a,b\n1,x\n2.5,y\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(polyhost, folder):
    words = ["perf-test", "-cd", "model", "--input", "in.csv", "--target-type"]
    return lambda kind, *flags, **env: polyhost(*words, kind, *flags, env=env)


def test_one_case(run):
    done = run("regression", "-s", 3, "-i", 4, "--in-server", "--url", "x", URL_PREFIX="/p")
    assert done.code == 0, done.err
    _, headings, _, row, _ = done.out.splitlines()
    assert headings.split()[:3] == ["size", "samples", "iters"]
    assert "in-server avg (s)" in headings
    _, unit, samples, iterations, *rest = row.split()
    assert (unit, samples, iterations) == ("MB", "3", "4")
    used, physical = rest.pop(-2), float(rest.pop())  # in a container: used/most/limit
    least, mean, most, total, p50, p95, p99, rate, in_server = map(float, rest)
    assert least <= p50 <= p95 <= p99 <= most
    assert rate == pytest.approx(3 * 4 / total, rel=0.05)
    assert "Ctrl+C" not in done.out + done.err
    assert 0 < least <= mean <= most < total
    assert 0 <= in_server <= most
    assert 0 < float(used.split("/")[0]) < physical


def test_a_case_with_another_count_of_predictions_fails(run):
    done = run("regression", "-s", 6)
    assert done.code == 1
    assert done.out.splitlines()[3].split()[4:8] == ["Fail"] * 4
    assert "expected 6 predictions; found 2" in done.err


def test_a_model_that_does_not_start(run, folder):
    (folder / "model" / "custom.py").write_text("1 / 0", encoding="utf-8")
    done = run("regression", WITH_ERROR_SERVER="1")
    assert (done.code, done.out) == (1, "")
    assert "division by zero" in done.err
    assert "the server ended with status 1" in done.err


@pytest.mark.parametrize("kind", ["unstructured", "transform"])
def test_models_that_predict_nothing_are_refused(run, kind):
    done = run(kind)
    assert done.code == 1
    assert f"target type {kind} has none" in done.out


def test_the_cases_without_flags(folder, tmp_path):
    words = ["perf-test", "--code-dir", str(folder / "model"), "--input", str(folder / "in.csv")]
    cases = list(perf_test._cases(parse(build_parser(), words, {})))
    assert [case.iterations for case in cases] == [100, 50, 5, 1]
    assert cases[0].rows == 1
    sizes = [len(case.body) / perf_test.MB for case in cases[1:]]
    assert sizes == pytest.approx([0.1, 10, 50], rel=0.01)


def test_a_table_has_cells_of_several_lines():
    assert render(("a", "bb"), [("1", "x\nyy"), ("222", "")]) == (
        "--------\na     bb\n--------\n1     x\n      yy\n222\n--------"
    )
