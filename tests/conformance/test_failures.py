"""Models that fail: the right kind of error in every language, and the server goes on serving."""

from __future__ import annotations

import pytest
from conformance.cases import cases, cases_without_gaps, run_score
from conformance.scenarios import CSV, ON_A_SERVER, SCENARIOS

from polyhost import errors

KILLS = CSV.replace("1,2,ann", "666,2,ann")
"""Input on which ``exits_in_score`` exits and ``hangs_in_score`` hangs."""

AT_LOAD: dict[str, tuple[type[errors.PolyhostError], str]] = {
    "raises_in_load": (errors.LoadError, "load went wrong"),
    "load_returns_nothing": (errors.CodeDirError, "load_model"),
    "broken_custom": (errors.LoadError, "custom"),
    "no_score": (errors.MissingHook, "'score' is missing"),
}

IN_SCORE: dict[str, tuple[type[errors.PolyhostError], str]] = {
    "raises_in_score": (errors.ModelError, "score went wrong"),
    "returns_nothing": (errors.InvalidOutput, "score"),
    "wrong_shape": (errors.InvalidOutput, "u"),
    "wrong_labels": (errors.InvalidOutput, "maybe"),
}


@pytest.mark.parametrize(("scenario", "runtime"), cases([*AT_LOAD, *IN_SCORE]))
def test_from_the_command_line(polyhost, scenario, runtime):
    kind, says = {**AT_LOAD, **IN_SCORE}[scenario]
    with pytest.raises(kind) as raised:
        run_score(polyhost, scenario, runtime)
    assert says in raised.value.message.lower()
    assert raised.value.exit_code == 1


@pytest.mark.parametrize(("scenario", "runtime"), cases(["raises_in_score"]))
def test_the_native_traceback_is_told_when_asked_for(command, scenario, runtime):
    with pytest.raises(errors.ModelError) as raised:
        run_score(command, scenario, runtime, CSV, "--show-stacktrace")
    message, *trace = raised.value.err.splitlines()
    assert "score went wrong" in message
    assert any("score" in line for line in trace)


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(IN_SCORE))
def test_over_http_and_the_neighbours_answer(host_of, models_of, scenario, runtime):
    server = (host_of if scenario in ON_A_SERVER else models_of)(runtime)
    failed = server.post(f"/models/{scenario}/predict/", CSV)
    assert failed.status_code == 500
    assert IN_SCORE[scenario][1] in failed.json()["message"]
    good = server.post("/models/score_regression/predict/", CSV)
    assert good.json() == {"predictions": [5.0, 8.0, 14.0]}


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["wrong_row_count"]))
def test_a_missing_row_is_an_error_in_serve(models_of, scenario, runtime):
    failed = models_of(runtime).post(f"/models/{scenario}/predict/", CSV)
    assert failed.status_code == 500
    assert "2 prediction(s) for 3 input row(s)" in failed.json()["message"]


@pytest.mark.parametrize(("scenario", "runtime"), cases(["wrong_row_count"]))
def test_a_missing_row_is_a_warning_in_score_unless_rows_are_strict(polyhost, scenario, runtime):
    output = run_score(polyhost, scenario, runtime)
    assert len(output.read_text(encoding="utf-8").splitlines()) == 3
    with pytest.raises(errors.InvalidOutput, match=r"2 prediction\(s\) for 3 input row\(s\)"):
        run_score(polyhost, scenario, runtime, CSV, "--strict-rows")


@pytest.mark.parametrize(("scenario", "runtime"), cases(["exits_in_score"]))
def test_an_exit_is_no_success_on_the_command_line(command, scenario, runtime):
    with pytest.raises(errors.WorkerCrashed, match="with status 3") as raised:
        run_score(command, scenario, runtime, KILLS)
    assert raised.value.exit_code == 3


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["exits_in_score"]))
def test_a_model_that_exits_is_replaced(host_of, scenario, runtime):
    server, path = host_of(runtime), f"/models/{scenario}/predict/"
    failed = server.post(path, KILLS)
    assert failed.status_code == 500
    assert "status 3" in failed.json()["message"]
    server.wait_answering(f"/models/{scenario}/health/")
    assert server.post(path, CSV).json() == {"predictions": [5.0, 8.0, 14.0]}


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["hangs_in_score"]))
def test_a_model_that_hangs_meets_its_deadline(host_of, scenario, runtime):
    server, path = host_of(runtime), f"/models/{scenario}/predict/"
    failed = server.post(path, KILLS)
    assert failed.status_code == 504
    server.wait_answering(f"/models/{scenario}/health/")
    assert server.post(path, CSV).json() == {"predictions": [5.0, 8.0, 14.0]}


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["raises_in_load"]))
def test_a_model_that_cannot_be_loaded_leaves_the_others_alone(host_of, scenario, runtime):
    server = host_of(runtime)
    server.wait_answering(f"/models/{scenario}/health/", 503)
    failed = server.post(f"/models/{scenario}/predict/", CSV)
    assert failed.status_code in (500, 503)
    answered = server.post("/models/score_regression/predict/", CSV)
    assert answered.json() == {"predictions": [5.0, 8.0, 14.0]}


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["raises_in_load"]))
def test_the_one_model_server_ends_when_its_model_cannot_be_loaded(polyhost, scenario, runtime):
    of = SCENARIOS[scenario]
    done = polyhost(
        *["server", "--code-dir", of.folder(runtime), "--address", "127.0.0.1:0"],
        *of.target_flags,
    )
    assert done.code == 1
    assert "load went wrong" in done.err
