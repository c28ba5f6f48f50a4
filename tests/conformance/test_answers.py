"""Scenarios that answer: the same answer in every language, from the command line and over HTTP."""

from __future__ import annotations

import pytest
from conformance.cases import cases, cases_without_gaps, read_rows, run_score
from conformance.scenarios import CSV

COMMENTED = f"# written by a test\n{CSV}"
"""What only the ``read_input_data`` hook of ``all_hooks`` can read."""

ANSWERS: dict[str, tuple[list[str], list[list[object]]]] = {
    "score_regression": (["Predictions"], [[5.0], [8.0], [14.0]]),
    "score_binary": (["no", "yes"], [[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]]),
    "score_multiclass": (
        ["x", "y", "z"],
        [[0.5, 0.05, 0.45], [0.5, 0.1, 0.4], [0.5, 0.2, 0.3]],
    ),
    "all_hooks": (["Predictions"], [[1015.0], [1027.0], [1051.0]]),
    "textgeneration": (["Predictions"], [["hello ann"], ["hello bob"], ["hello c, d"]]),
    "anomaly": (["Predictions"], [[-1.0], [-1.0], [-1.0]]),
    "multilabel": (["x", "y", "z"], [[0.1, 0.2, 0.9], [0.2, 0.3, 0.9], [0.4, 0.5, 0.9]]),
    "geopoint": (["Predictions"], [["POINT(ann)"], ["POINT(bob)"], ["POINT(c, d)"]]),
    "vectordatabase": (["Predictions"], [["near ann"], ["near bob"], ["near c, d"]]),
    "agenticworkflow": (["Predictions"], [["agent of ann"], ["agent of bob"], ["agent of c, d"]]),
    "prints": (["Predictions"], [[5.0], [8.0], [14.0]]),
}


def body_of(scenario: str) -> str:
    return COMMENTED if scenario == "all_hooks" else CSV


@pytest.mark.parametrize(("scenario", "runtime"), cases(ANSWERS))
def test_from_the_command_line(polyhost, scenario, runtime):
    output = run_score(polyhost, scenario, runtime, body_of(scenario))
    assert read_rows(output) == ANSWERS[scenario]


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(ANSWERS))
def test_over_http(models_of, scenario, runtime):
    server = models_of(runtime)
    reply = server.post(f"/models/{scenario}/predict/", body_of(scenario))
    header, rows = ANSWERS[scenario]
    single = header == ["Predictions"]
    expected = (
        [row[0] for row in rows]
        if single
        else [dict(zip(header, row, strict=True)) for row in rows]
    )
    assert (reply.status_code, reply.json()) == (200, {"predictions": expected})


@pytest.mark.parametrize(("scenario", "runtime"), cases(["extra_columns"]))
def test_extra_columns_from_the_command_line(polyhost, scenario, runtime):
    header, rows = read_rows(run_score(polyhost, scenario, runtime))
    assert header == ["Predictions", "note"]
    assert rows == [[1.0, "row ann"], [2.0, "row bob"], [4.0, "row c, d"]]


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["extra_columns"]))
def test_extra_columns_over_http(models_of, scenario, runtime):
    reply = models_of(runtime).post(f"/models/{scenario}/predict/", CSV)
    extra = reply.json()["extraModelOutput"]
    assert reply.json()["predictions"] == [1.0, 2.0, 4.0]
    assert (extra["columns"], extra["data"]) == (
        ["note"],
        [["row ann"], ["row bob"], ["row c, d"]],
    )


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["prints"]))
def test_what_a_model_prints_is_passed_on(host_of, scenario, runtime):
    server = host_of(runtime)
    server.post("/models/prints/predict/", CSV)
    assert "[prints] noise" in server.out
    assert "[prints] noise" in server.err


@pytest.mark.parametrize(("scenario", "runtime"), cases(["transform"]))
def test_transform_from_the_command_line(polyhost, scenario, runtime):
    header, rows = read_rows(run_score(polyhost, scenario, runtime))
    assert (header, rows) == (["a2", "b"], [[2.0, 2.0], [4.0, 3.0], [8.0, 5.0]])


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["transform"]))
def test_transform_over_http(models_of, scenario, runtime):
    reply = models_of(runtime).post("/models/transform/transform/", CSV)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("multipart/form-data")
    assert 'name="X.transformed"' in reply.text
