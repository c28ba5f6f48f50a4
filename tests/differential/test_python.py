"""Python models: every format's answer to the same rows is the library's own, bit for bit."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from differential.python_models import CASES, LEVELS, Case, kind
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.bodies import JSON, Body, Column, bodies, parts
from support.served import Served

from polyhost import errors
from polyhost.codecs import Request, dispatch
from polyhost.pipeline.pipeline import Pipeline, open_predictor
from polyhost.predictor import ModelSpec


@cache
def made(name: str) -> Case:
    return CASES[name]()


@pytest.fixture(scope="module", params=CASES)
def opened(request, tmp_path_factory) -> Iterator[tuple[Case, Pipeline]]:
    case = made(request.param)
    folder = tmp_path_factory.mktemp("model")
    pipeline = load(case, folder)
    yield case, pipeline
    pipeline.close()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> Iterator[Callable[[str], tuple[Case, Pipeline]]]:
    """``loaded(name)``: a case and its model, opened once."""
    pipelines: dict[str, Pipeline] = {}

    def get(name: str) -> tuple[Case, Pipeline]:
        if name not in pipelines:
            pipelines[name] = load(made(name), tmp_path_factory.mktemp("model"))
        return made(name), pipelines[name]

    yield get
    for pipeline in pipelines.values():
        pipeline.close()


def load(case: Case, folder: Path, custom: Path | None = None, **options: Any) -> Pipeline:
    (folder / "model.pkl").write_bytes(pickle.dumps(case.model))
    artifacts = (Path("model.pkl"),)
    return open_predictor(ModelSpec(folder, "python", case.target, custom, artifacts, options))


def asked(pipeline: Pipeline, body: Body) -> Any:
    """The predictions in the answer to a body; the error's class where it is the caller's."""
    request = Request("predict", "drum", body.content_type)
    try:
        answer = dispatch.answer(pipeline, request, body.data)
    except errors.InvalidInput as error:
        return type(error)
    return read(json.loads(answer.body))


def read(answer: dict[str, Any]) -> np.ndarray:
    found = answer["predictions"]
    if found and isinstance(found[0], dict):
        labels = sorted(found[0])
        return np.array([[row[label] for label in labels] for row in found], np.float64)
    return np.array(found, np.float64)


def expected(case: Case, columns: list[Column]) -> Any:
    """What the library answers; SchemaMismatch where it raises."""
    try:
        return case.native(columns)
    except (ValueError, AttributeError, TypeError):
        return errors.SchemaMismatch


def check(found: Any, right: Any) -> None:
    if isinstance(right, type):
        assert found is right
    else:
        np.testing.assert_array_equal(found, right)


def test_every_format_has_the_librarys_own_answer(opened):
    case, pipeline = opened
    for part, columns in parts(case.columns()):
        right = expected(case, columns)
        for body in bodies(columns):
            try:
                check(asked(pipeline, body), right)
            except AssertionError as error:
                error.add_note(f"{part} as {body.format}: {body.data[:300]!r}")
                raise


UNKNOWN = {"category": "no such level", "integer": 77, "number": 0.125}


def with_unknown(case: Case, columns: list[Column]) -> Iterator[list[Column]]:
    """The rows with a level that the model does not know, in each of its categories."""
    for at, column in enumerate(columns):
        if column.name in LEVELS and column.kind in UNKNOWN:
            cells = [UNKNOWN[column.kind], *column.cells[1:]]
            yield [*columns[:at], Column(column.name, column.kind, cells), *columns[at + 1 :]]


def test_unknown_levels_follow_the_librarys_own_rule(opened):
    case, pipeline = opened
    for columns in with_unknown(case, case.columns(4)):
        right: Any = errors.SchemaMismatch
        if case.unknown != "error":
            right = expected(case, columns)
        for body in bodies(columns):
            check(asked(pipeline, body), right)


@pytest.mark.parametrize("name", ["xgboost", "histogram", "lightgbm"])
def test_unknown_levels_may_count_as_missing(name, tmp_path):
    case = made(name)
    pipeline = load(case, tmp_path, unknown_levels="missing")
    for columns in with_unknown(case, case.columns(4)):
        cells = [[None if v in UNKNOWN.values() else v for v in c.cells] for c in columns]
        without = [Column(c.name, c.kind, v) for c, v in zip(columns, cells, strict=True)]
        for body in bodies(columns):
            check(asked(pipeline, body), case.native(without))
    pipeline.close()


def test_a_post_process_hook_leaves_the_schema_in_force(tmp_path):
    case = made("one-hot-code")
    hook = "def post_process(predictions, model):\n    return predictions + 1\n"
    (tmp_path / "custom.py").write_text(hook)
    pipeline = load(case, tmp_path, custom=Path("custom.py"))
    columns = case.columns()
    for body in bodies(columns):
        check(asked(pipeline, body), case.native(columns) + 1)
    pipeline.close()


@pytest.mark.parametrize("name", ["lightgbm-booster", "xgboost", "xgboost-booster", "lightgbm"])
def test_categories_of_what_a_hook_made(name, tmp_path):
    """A frame of texts from a transform hook has the model's own levels, whatever is present."""
    case = made(name)
    hook = "def transform(data, model):\n    return data\n"
    (tmp_path / "custom.py").write_text(hook)
    pipeline = load(case, tmp_path, custom=Path("custom.py"))
    for _, columns in [*parts(case.columns())][:3]:
        for body in bodies(columns):
            if body.content_type == JSON:
                check(asked(pipeline, body), case.native(columns))
    pipeline.close()


def test_levels_of_all_the_rows_do_not_matter(opened):
    """Each row alone has the answer that it has among the others."""
    case, pipeline = opened
    columns = case.columns(8)
    whole = expected(case, columns)
    for i in range(8):
        row = [Column(c.name, c.kind, c.cells[i : i + 1]) for c in columns]
        for body in (*bodies(row),)[:4]:
            np.testing.assert_allclose(asked(pipeline, body), whole[i : i + 1], rtol=1e-12)


CELLS = {
    "x": st.floats(-1e6, 1e6) | st.integers(-1000, 1000).map(float),
    "i": st.integers(-5, 100),
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1),
}


@st.composite
def rows_of(draw: st.DrawFn, names: tuple[str, ...]) -> list[Column]:
    count = draw(st.integers(1, 5))
    columns = []
    for name in names:
        cell = CELLS[name] if name in CELLS else st.sampled_from(LEVELS[name])
        cells = draw(st.lists(st.none() | cell, min_size=count, max_size=count))
        columns.append(Column(name, kind(name), cells))
    return columns


@pytest.mark.parametrize(
    "name",
    ["one-hot-ignore", "imputed-codes", "ordinal", "hashing", "lightgbm", "xgboost", "histogram"],
)
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_rows(data, name, loaded):
    case, pipeline = loaded(name)
    columns = data.draw(rows_of(case.names))
    right = expected(case, columns)
    for body in bodies(columns):
        check(asked(pipeline, body), right)


SERVED = ["one-hot-all", "imputed", "tfidf-binary", "lightgbm", "xgboost", "numbers"]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Served]:
    """A server with some of the models: small requests take its quick way."""
    folders = []
    for name in SERVED:
        case = made(name)
        folder = tmp_path_factory.mktemp("served") / name
        folder.mkdir()
        (folder / "model.pkl").write_bytes(pickle.dumps(case.model))
        (folder / "model-metadata.yaml").write_text(metadata(case), encoding="utf-8")
        folders.append(folder)
    served = Served.start(tmp_path_factory.mktemp("server"), *folders)
    yield served
    served.stop()


def metadata(case: Case) -> str:
    lines = ["name: made", "type: inference", f"targetType: {case.target.type.value}"]
    if case.target.labels:
        lines += ["inferenceModel:", '  positiveClassLabel: "yes"', '  negativeClassLabel: "no"']
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", SERVED)
def test_a_server_answers_the_same(server, name, loaded):
    case, pipeline = loaded(name)
    for _, columns in parts(case.columns(5)):
        for body in bodies(columns):
            reply = server.post(f"/models/{name}/predict/", body.data, body.content_type)
            right = asked(pipeline, body)
            if isinstance(right, type):
                assert reply.status_code == 422, reply.text
            else:
                assert reply.status_code == 200, reply.text
                check(read(reply.json()), right)
