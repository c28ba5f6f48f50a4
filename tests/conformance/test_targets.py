"""What labels, extra columns and row counts may be, the same in every language."""

from __future__ import annotations

import pytest
from conformance.cases import cases, cases_without_gaps, read_rows, run_score
from conformance.scenarios import CSV

from polyhost.errors import InvalidOutput, SettingsError


def labels(positive: str, negative: str) -> tuple[str, ...]:
    return ("--positive-class-label", positive, "--negative-class-label", negative)


@pytest.mark.parametrize(("scenario", "runtime"), cases(["score_binary"]))
def test_labels_match_loosely_and_keep_the_models_order(polyhost, scenario, runtime):
    """The model says ``no`` and ``yes``; the answer has the labels as they were given."""
    header, rows = read_rows(run_score(polyhost, scenario, runtime, CSV, *labels("True", "0")))
    assert (header, rows) == (["0", "True"], [[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]])


@pytest.mark.parametrize(("scenario", "runtime"), cases(["extra_classes"]))
def test_extra_columns_of_a_classifier(polyhost, scenario, runtime):
    header, rows = read_rows(run_score(polyhost, scenario, runtime))
    assert header == ["no", "yes", "note"]
    assert rows == [[0.9, 0.1, "row ann"], [0.8, 0.2, "row bob"], [0.6, 0.4, "row c, d"]]


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["extra_classes"]))
def test_extra_columns_of_a_classifier_over_http(models_of, scenario, runtime):
    reply = models_of(runtime).post(f"/models/{scenario}/predict/", CSV).json()
    assert reply["predictions"][0] == {"no": 0.9, "yes": 0.1}
    assert reply["extraModelOutput"] == {
        "columns": ["note"],
        "data": [["row ann"], ["row bob"], ["row c, d"]],
        "index": [0, 1, 2],
    }


@pytest.mark.parametrize(("scenario", "runtime"), cases(["extra_classes"]))
def test_beside_extra_columns_labels_match_to_the_letter(polyhost, scenario, runtime):
    with pytest.raises(InvalidOutput):
        run_score(polyhost, scenario, runtime, CSV, *labels("Yes", "no"))


@pytest.mark.parametrize(("scenario", "runtime"), cases(["one_probability"]))
def test_the_positive_class_alone_is_not_expanded(polyhost, scenario, runtime):
    with pytest.raises(InvalidOutput, match="Expected predictions to have columns"):
        run_score(polyhost, scenario, runtime)


@pytest.mark.parametrize(("scenario", "runtime"), cases(["extra_text"]))
def test_the_target_name_may_be_in_quotes(polyhost, scenario, runtime):
    header, rows = read_rows(run_score(polyhost, scenario, runtime))
    assert header == ["Predictions", "distance"]
    assert rows == [["near ann", 1.0], ["near bob", 2.0], ["near c, d", 4.0]]


@pytest.mark.parametrize("scenario", ["textgeneration", "vectordatabase", "agenticworkflow"])
def test_text_types_need_the_name_of_their_target(polyhost, scenario, tmp_path):
    """Even with one column, and in whatever language: no runtime is started to tell."""
    (tmp_path / "custom.py").write_text("def score(data, model, **kwargs):\n    return data\n")
    (tmp_path / "rows.csv").write_text(CSV)
    flags = ("--target-type", scenario, "--input", tmp_path / "rows.csv")
    done = polyhost("score", "--code-dir", tmp_path, *flags)
    assert done.code == 1
    assert SettingsError.__name__ in done.err
    assert "TARGET_NAME" in done.err


@pytest.mark.parametrize(("scenario", "runtime"), cases(["wrong_row_count"]))
def test_a_lost_row_is_a_warning_unless_rows_are_strict(polyhost, scenario, runtime):
    assert read_rows(run_score(polyhost, scenario, runtime))[1] == [[1.0], [2.0]]
    with pytest.raises(InvalidOutput, match=r"2 prediction\(s\) for 3 input row\(s\)"):
        run_score(polyhost, scenario, runtime, CSV, "--strict-rows")
