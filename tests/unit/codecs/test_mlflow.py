"""MLflow's protocol, on models that say what they were given; MLflow's own answers are recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import mlflow_models
from support.mlflow_cases import CASES, FILE, JSON, OWN, SIGNATURES, body_of, frame, records, split

from polyhost.code_dir.spec import spec_of
from polyhost.codecs import Request, dispatch
from polyhost.errors import InvalidInput, PolyhostError, UnsupportedContentType
from polyhost.pipeline.pipeline import Pipeline, open_predictor
from polyhost.server.dialects.mlflow import error_body
from polyhost.settings import TargetSettings

RECORDED = json.loads(FILE.read_text(encoding="utf-8"))


def opened(folder: Path, **options: Any) -> Pipeline:
    return open_predictor(spec_of(folder, TargetSettings(), options=options, infer=True))


def ask(model: Pipeline, kind: str, content: Any) -> Any:
    """The JSON of an answer."""
    request = Request("predict", "mlflow", kind)
    return json.loads(bytes(dispatch.answer(model, request, body_of(content)).body))


@pytest.fixture(scope="module")
def echoes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pipeline]]:
    """One model for each signature."""
    folder = tmp_path_factory.mktemp("echoes")
    found = {
        name: opened(mlflow_models.echo(folder / name, inputs, params))
        for name, (inputs, params) in SIGNATURES.items()
    }
    yield found
    for model in found.values():
        model.close()


@pytest.mark.parametrize("place", range(len(CASES)))
def test_a_model_is_given_what_mlflow_gives_it(echoes: dict[str, Pipeline], place: int) -> None:
    signature, kind, content = CASES[place]
    expected = RECORDED[place]
    try:
        found = {"status": 200, "code": "", "answer": ask(echoes[signature], kind, content)}
    except PolyhostError as error:
        status, body, headers = error_body(error, kind)
        code = "" if (b"content-type", b"text/plain; charset=utf-8") in headers else None
        code = json.loads(body)["error_code"] if code is None else code
        if status == 500:  # MLflow says no more than "Internal Server Error"
            assert code == "INTERNAL_ERROR"
            code = ""
        found = {"status": status, "code": code, "answer": None}
    assert found == expected


@pytest.mark.parametrize("place", range(len(OWN)))
def test_documents_win_over_what_mlflow_does(echoes: dict[str, Pipeline], place: int) -> None:
    signature, kind, content, expected = OWN[place]
    if isinstance(expected, str):
        with pytest.raises(PolyhostError) as caught:
            ask(echoes[signature], kind, content)
        status, body, _ = error_body(caught.value, kind)
        assert (status, json.loads(body)["error_code"]) == (400, expected)
    else:
        assert ask(echoes[signature], kind, content)["predictions"]["input"] == expected


LEGACY = frame("x", "float64", 1.5)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (JSON, [{"x": 1.5}]),
        (JSON, {"columns": ["x"], "data": [[1.5]]}),
        (JSON, {"columns": ["x"], "index": [0], "data": [[1.5]]}),
        ("application/json; format=pandas-split", {"columns": ["x"], "data": [[1.5]]}),
        ("application/json; format=pandas-records", [{"x": 1.5}]),
        ("application/json-numpy-split", {"columns": ["x"], "index": [0], "data": [[1.5]]}),
    ],
)
@pytest.mark.parametrize("signature", ["none", "one"])
def test_bodies_of_1x_are_answered_bare(
    echoes: dict[str, Pipeline], signature: str, kind: str, content: Any
) -> None:
    assert ask(echoes[signature], kind, content)["input"] == LEGACY


def test_an_unknown_type_is_named(echoes: dict[str, Pipeline]) -> None:
    for sent, shown in (("text/html", "'text/html'"), ("", "missing")):
        with pytest.raises(UnsupportedContentType, match=f"Got {shown}"):
            ask(echoes["none"], sent, "x")


def test_rows_above_the_limit_are_refused(echoes: dict[str, Pipeline]) -> None:
    request = Request("predict", "mlflow", JSON, options={"max_rows": 1})
    with pytest.raises(InvalidInput, match="at most 1"):
        dispatch.answer(echoes["one"], request, body_of(split(["x"], [1], [2])))
    with pytest.raises(InvalidInput, match="at most 1"):
        dispatch.answer(echoes["one"], request, body_of(records({"x": 1}, {"x": 2})))
