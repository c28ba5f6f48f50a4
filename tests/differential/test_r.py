"""Models of R's classes: every format's answer to the same rows is what R's own predict answers."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.bodies import Column, bodies
from support.r_models import rscript, run_r
from support.served import Served

from polyhost.codecs import Request, dispatch
from polyhost.data.target import Target, TargetType
from polyhost.errors import SchemaMismatch
from polyhost.pipeline.pipeline import Pipeline, open_predictor
from polyhost.predictor import INFER_TARGET, ModelSpec

pytestmark = pytest.mark.runtime("r")

Cases = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def cases(tmp_path_factory) -> tuple[Path, Cases]:
    """The folder of the models, and what R says of them."""
    folder = tmp_path_factory.mktemp("models")
    run_r(Path(__file__).parent / "r_models.R", folder)
    return folder, {case["name"]: case for case in json.loads((folder / "cases.json").read_text())}


NAMES = [
    *("lm", "lm_of_number_levels", "lm_of_number_text", "lm_of_factor_call", "glm", "glm_poisson"),
    *("gam", "gam_binomial", "rpart", "rpart_class", "forest", "forest_xy", "ranger"),
    *("ranger_numbers", "ranger_probability", "svm", "svm_regression", "naive_bayes", "lda"),
    *("lda_xy", "nnet", "nnet_two", "nnet_three", "multinom", "multinom_two", "polr", "gbm"),
    *("gbm_bernoulli", "glmnet", "caret_lm", "caret_glmnet", "caret_rf", "caret_rf_xy"),
    *("caret_ranger", "caret_rpart", "caret_gbm", "caret_svm", "caret_multinom", "caret_polr"),
    "caret_recipe",
]


@pytest.fixture(params=NAMES)
def opened(request, cases) -> tuple[Pipeline, dict[str, Any]]:
    folder, known = cases
    return load(folder, known[request.param]), known[request.param]


def load(folder: Path, case: dict[str, Any], **options: Any) -> Pipeline:
    target = Target(TargetType(case["target"]), tuple(case["labels"]))
    spec = ModelSpec(folder / case["name"], "r", target, None, (Path("model.rds"),), options)
    return open_predictor(spec)


def typed(column: dict[str, Any]) -> Column:
    convert: Callable[[Any], Any] = CONVERT.get(column["kind"], lambda cell: cell)
    cells = [None if cell is None else convert(cell) for cell in column["cells"]]
    return Column(column["name"], column["kind"], cells)


CONVERT: dict[str, Callable[[Any], Any]] = {
    "number": float,
    "date": datetime.date.fromisoformat,
    "time": datetime.datetime.fromisoformat,
}


def asked(pipeline: Pipeline, content_type: str, data: bytes) -> np.ndarray:
    answer = dispatch.answer(pipeline, Request("predict", "drum", content_type), data)
    return predictions(json.loads(answer.body), pipeline.info.target.labels)


def predictions(answer: dict[str, Any], labels: Sequence[str]) -> np.ndarray:
    """One column of numbers, or one for each label."""
    found = answer["predictions"]
    if labels:
        found = [[row[label] for label in labels] for row in found]
    return np.array(found, np.float64).reshape(len(found), -1)


def test_every_format_has_rs_own_answer(opened):
    pipeline, case = opened
    for part in case["parts"]:
        columns = [typed(column) for column in part["columns"]]
        right = np.array(part["answers"], np.float64)
        for body in bodies(columns):
            try:
                found = asked(pipeline, body.content_type, body.data)
                np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-300)
            except Exception as error:
                error.add_note(f"{part['name']} as {body.format}: {body.data[:300]!r}")
                raise


def chosen(part: dict[str, Any], rows: Sequence[int]) -> tuple[list[Column], np.ndarray]:
    """Some rows of a part, and R's answers for them."""
    columns = [
        Column(c.name, c.kind, [c.cells[i] for i in rows]) for c in map(typed, part["columns"])
    ]
    return columns, np.array([part["answers"][i] for i in rows], np.float64)


def test_any_rows_have_the_answers_that_they_have_among_others(opened):
    pipeline, case = opened
    pool = case["parts"][-1]

    @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
    @given(rows=st.lists(st.integers(0, 23), min_size=1, max_size=6))
    def ask(rows: list[int]) -> None:
        columns, right = chosen(pool, rows)
        for body in bodies(columns):
            found = asked(pipeline, body.content_type, body.data)
            np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-300)

    ask()


def test_large_bodies_have_the_answers_of_small_ones(opened):
    pipeline, case = opened
    columns, right = chosen(case["parts"][-1], [i % 24 for i in range(3000)])
    for body in (body for body in bodies(columns) if body.format in ("csv", "json-split", "arrow")):
        found = asked(pipeline, body.content_type, body.data)
        np.testing.assert_allclose(found, right, rtol=1e-11, atol=1e-300)


def test_what_the_artifact_knows_of_its_target_is_reported(opened):
    pipeline, case = opened
    guest = pipeline.info.guest
    zero_or_one = guest.labels == ("0", "1")  # it may be asked for as a regression, too
    assert guest.target_type == (None if zero_or_one else case["target"])
    assert set(guest.labels) == set(case["labels"])


def test_target_and_labels_may_be_left_to_the_artifact(opened, cases):
    _, case = opened
    nothing = {**case, "target": "regression", "labels": []}
    target = load(cases[0], nothing, **{INFER_TARGET: ""}).info.target
    assert (target.type.value, set(target.labels)) == (case["target"], set(case["labels"]))


def test_all_cases_are_tested(cases):
    assert list(cases[1]) == NAMES


def first_row(case: dict[str, Any], **others: Any) -> list[Column]:
    """The first row, with other cells in some columns."""
    columns = map(typed, next(part for part in case["parts"] if part["name"] == "one")["columns"])
    return [
        Column(c.name, c.kind, [others[c.name]] if c.name in others else c.cells) for c in columns
    ]


UNKNOWN = [
    *(("lm", "k", "7"), ("lm_of_number_text", "d1", "3"), ("lm_of_factor_call", "k3", 7.5)),
    *(("glm", "k", "7"), ("rpart", "s", "w"), ("forest", "f", "b"), ("forest_xy", "o", "top")),
    *(("ranger", "tf", "X"), ("ranger_probability", "f", "b"), ("svm", "k", "7")),
    *(("naive_bayes", "s", "w"), ("lda", "k", "7"), ("nnet", "s", "w"), ("multinom", "k", "7")),
    *(("polr", "f", "b"), ("gbm", "k", "7"), ("caret_lm", "z", "1"), ("caret_glmnet", "k", "7")),
    *(("caret_rf", "mf", "FALSE"), ("caret_rf_xy", "k", "7"), ("caret_ranger", "f", "b")),
]


@pytest.mark.parametrize(("name", "column", "value"), UNKNOWN)
def test_an_unknown_level_is_the_callers_error(cases, name, column, value):
    folder, known = cases
    pipeline = load(folder, known[name])
    for body in bodies(first_row(known[name], **{column: value})):
        with pytest.raises(
            SchemaMismatch, match=f"'{column}', row 1: .* not trained with '{value}'"
        ):
            asked(pipeline, body.content_type, body.data)


def test_unknown_levels_are_missing_where_the_operator_says_so(cases):
    folder, known = cases
    for name, column in (("lm_of_number_levels", "k"), ("forest_xy", "f"), ("caret_multinom", "f")):
        pipeline = load(folder, known[name], unknown_levels="missing")
        for body in bodies(first_row(known[name], **{column: "7"})):
            assert np.isnan(asked(pipeline, body.content_type, body.data)).all()


def test_a_ranger_without_levels_refuses_text(tmp_path):
    (tmp_path / "ranger").mkdir()
    rscript(f"""
        d <- data.frame(y = 1:30 / 7, x = 30:1, f = factor(rep(c("a", "d", "e"), 10)))
        saveRDS(ranger::ranger(y ~ x + f, d, num.trees = 5), "{tmp_path / "ranger/model.rds"}")
    """)
    pipeline = load(tmp_path, {"name": "ranger", "target": "regression", "labels": []})
    for body in bodies([Column("x", "number", [1.5]), Column("f", "category", ["a"])]):
        with pytest.raises(SchemaMismatch, match=r"column 'f', row 1: found 'a' where .* a number"):
            asked(pipeline, body.content_type, body.data)


def test_mgcv_takes_an_unknown_level_for_a_missing_value(cases):
    folder, known = cases
    pipeline = load(folder, known["gam"])
    for body in bodies(first_row(known["gam"], k="7")):
        assert np.isnan(asked(pipeline, body.content_type, body.data)).tolist() == [[True]]


def test_a_recipe_has_its_own_rule_for_a_novel_level(cases):
    folder, known = cases
    right = rscript(f"""
        model <- readRDS("{folder / "caret_recipe/model.rds"}")
        rows <- jsonlite::fromJSON("{folder / "cases.json"}", simplifyVector = FALSE)
        one <- Filter(function(case) case$name == "caret_recipe", rows)[[1]]$parts[[2]]$columns
        row <- as.data.frame(lapply(one, function(column) column$cells[[1]]),
          col.names = vapply(one, function(column) column$name, ""))
        suppressMessages(library(caret))
        row$f <- factor("novel"); row$s <- "another"
        cat(sprintf("%.17g", as.matrix(predict(model, row, type = "prob"))), sep = ",")
    """)
    pipeline = load(folder, known["caret_recipe"])
    for body in bodies(first_row(known["caret_recipe"], f="novel", s="another")):
        found = asked(pipeline, body.content_type, body.data)
        np.testing.assert_allclose(found[0], [float(cell) for cell in right.split(",")], rtol=1e-12)


@pytest.mark.parametrize("name", ["lm", "forest_xy", "ranger_numbers", "gbm", "caret_rf"])
def test_text_where_numbers_belong_names_row_and_value(cases, name):
    folder, known = cases
    pipeline = load(folder, known[name])
    body = next(
        iter(
            bodies(
                [
                    Column(c.name, "text" if c.name == "x" else c.kind, c.cells)
                    for c in first_row(known[name], x="many")
                ]
            )
        )
    )
    with pytest.raises(SchemaMismatch, match=r"column 'x', row 1: found 'many' where .* a number"):
        asked(pipeline, body.content_type, body.data)


TRANSFORM = "transform <- function(data, model) { data$x <- data$x + 0; data }\n"


@pytest.mark.parametrize("name", ["forest", "rpart_class", "ranger", "svm", "gbm"])
def test_rows_that_pass_through_a_hook_become_what_the_model_was_trained_with(
    cases, tmp_path, name
):
    folder, known = cases
    case = known[name]
    (tmp_path / "custom.R").write_text(TRANSFORM)
    (tmp_path / "model.rds").symlink_to(folder / name / "model.rds")
    target = Target(TargetType(case["target"]), tuple(case["labels"]))
    spec = ModelSpec(tmp_path, "r", target, Path("custom.R"), (Path("model.rds"),))
    pipeline = open_predictor(spec)
    for part in case["parts"][:3]:
        for body in bodies([typed(column) for column in part["columns"]]):
            found = asked(pipeline, body.content_type, body.data)
            np.testing.assert_allclose(found, np.array(part["answers"], np.float64), rtol=1e-12)


SERVED = ["lm", "forest_xy", "svm", "caret_multinom"]


@pytest.fixture(scope="module")
def server(cases, tmp_path_factory) -> Iterator[Served]:
    """A server of some of the models, whose target types and labels it finds in the artifacts."""
    served = Served.start(tmp_path_factory.mktemp("server"), *(cases[0] / name for name in SERVED))
    yield served
    served.stop()


@pytest.mark.parametrize("name", SERVED)
def test_a_server_answers_the_same(server, cases, name):
    case = cases[1][name]
    for part in case["parts"]:
        right = np.array(part["answers"], np.float64)
        for body in bodies([typed(column) for column in part["columns"]]):
            reply = server.post(f"/models/{name}/predict/", body.data, body.content_type)
            assert reply.status_code == 200, reply.text
            found = predictions(reply.json(), case["labels"])
            np.testing.assert_allclose(found, right, rtol=1e-12)


@pytest.mark.parametrize("name", SERVED)
def test_rows_that_are_not_there_are_refused_alike(server, cases, name):
    names = ",".join(column["name"] for column in cases[1][name]["parts"][0]["columns"])
    split = {"dataframe_split": {"columns": names.split(","), "data": []}}
    found = [
        server.post(f"/models/{name}/predict/", names.encode(), "text/csv"),
        server.post(f"/models/{name}/predict/", f"{names}\n".encode(), "text/csv"),
        server.post(f"/models/{name}/predict/", json.dumps(split).encode(), "application/json"),
    ]
    assert [reply.status_code for reply in found] == [422, 422, 422]
    assert all("the table has no rows" in reply.text for reply in found)
