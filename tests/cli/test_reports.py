"""``--monitor`` and ``--monitor-embedded`` with the local reports, and ``polyhost reports``."""

from __future__ import annotations

import pytest

SCORE = """\
import pandas as pd


def load_model(code_dir):
    return 2


def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["a"] * model})
"""
UNSTRUCTURED = """\
def load_model(code_dir):
    return 2


def score_unstructured(model, data, **kwargs):
    mlops = kwargs.get("mlops")
    if mlops is None:
        return "off"
    mlops.report_deployment_stats(1, 12.0)
    mlops.report_predictions_data(predictions=[41.5], association_ids=["first"])
    return "on"
"""
IDS = ("--deployment-id", "d1", "--model-id", "m1")
COUNTED = 'polyhost_reported_predictions_total{deployment="d1",model="m1"}'


@pytest.fixture
def score(polyhost, tmp_path):
    def run(custom, *flags):
        code_dir = tmp_path / "model"
        code_dir.mkdir(exist_ok=True)
        (code_dir / "custom.py").write_text(custom)
        (tmp_path / "rows.csv").write_text("a\n3\n4\n")
        where = ("--code-dir", code_dir, "--input", tmp_path / "rows.csv")
        done = polyhost(
            "score", *where, *flags, env={"POLYHOST_REPORTS": str(tmp_path / "reports")}
        )
        assert (done.code, done.err) == (0, "")
        return done.out

    return run


def test_each_prediction_is_reported(polyhost, score, tmp_path):
    settings = ("--monitor-settings", f"spooler_type=filesystem;directory={tmp_path / 'spool'}")
    score(SCORE, "--target-type", "regression", "--monitor", *IDS, *settings)
    told = polyhost("reports", "--folder", tmp_path / "spool")
    assert told.out.splitlines()[1] == f"{COUNTED} 2"
    assert told.out.splitlines()[-1].split()[-2:] == ["8", "4"]


def test_a_hook_reports_by_itself(polyhost, score, tmp_path):
    kind = ("--target-type", "unstructured")
    access = ("--webserver", "https://localhost", "--api-token", "t")
    assert score(UNSTRUCTURED, *kind) == "off\n"
    assert score(UNSTRUCTURED, *kind, "--monitor-embedded", *IDS, *access) == "on\n"
    told = polyhost("reports", "--folder", tmp_path / "reports")
    assert f"{COUNTED} 1" in told.out
    assert told.out.splitlines()[-1].split()[-2:] == ["41.5", "first"]


def test_no_reports(polyhost, tmp_path):
    assert polyhost("reports", "--folder", tmp_path).out == f"no reports in {tmp_path}\n"
