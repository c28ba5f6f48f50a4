"""Scenarios over the protocols of other servers' clients: the same answers in every language."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from conformance.cases import cases_without_gaps
from conformance.scenarios import BUILTIN
from conformance.test_answers import ANSWERS

COLUMNS: dict[str, tuple[str, list[Any]]] = {
    "name": ("BYTES", ["ann", "bob", "c, d"]),
    "b": ("FP64", [2, 3, 5]),
    "a": ("INT64", [1, 2, 4]),
}
"""The rows of every hook scenario; their order is not the model's."""
ONE_COLUMN = [name for name, (header, _) in ANSWERS.items() if header == ["Predictions"]]
INPUTS = [
    {"name": name, "datatype": datatype, "shape": [3], "data": data}
    for name, (datatype, data) in COLUMNS.items()
]


def infer(server: Any, scenario: str, inputs: Any = INPUTS, **more: Any) -> Any:
    body = json.dumps({"inputs": inputs, **more})
    reply = server.post(f"/v2/models/{scenario}/infer", body, "application/json")
    assert reply.status_code == 200, reply.text
    return {output["name"]: output["data"] for output in reply.json()["outputs"]}


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(ONE_COLUMN))
def test_v2_predicts_one_value_a_row(models_of: Any, scenario: str, runtime: str) -> None:
    expected = [row[0] for row in ANSWERS[scenario][1]]
    assert infer(models_of(runtime), scenario) == {"predict": expected}


@pytest.mark.parametrize(
    ("scenario", "runtime"), cases_without_gaps(["score_binary", "score_multiclass", "multilabel"])
)
def test_v2_predicts_classes(models_of: Any, scenario: str, runtime: str) -> None:
    header, rows = ANSWERS[scenario]
    outputs = [{"name": "predict_proba"}, {"name": "predict"}]
    found = infer(models_of(runtime), scenario, outputs=outputs)
    assert found["predict_proba"] == pytest.approx([cell for row in rows for cell in row])
    if scenario == "multilabel":
        assert found["predict"] == [int(cell > 0.5) for row in rows for cell in row]
    else:
        assert found["predict"] == [header[row.index(max(row))] for row in rows]


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["unstructured"]))
def test_v2_hands_a_body_to_a_model_that_takes_any(
    models_of: Any, scenario: str, runtime: str
) -> None:
    server = models_of(runtime)
    direct = server.post(f"/models/{scenario}/predictUnstructured/", "one two", "text/plain")
    tensor = {"name": "body", "datatype": "BYTES", "shape": [1], "data": ["one two"]}
    assert infer(server, scenario, [tensor]) == {"predict": [direct.text]}


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["raises_in_score"]))
def test_v2_reports_what_the_model_raised(models_of: Any, scenario: str, runtime: str) -> None:
    place = f"/v2/models/{scenario}/infer"
    body = json.dumps({"inputs": INPUTS})
    reply = models_of(runtime).post(place, body, "application/json")
    assert reply.status_code == 500
    assert set(reply.json()) == {"error"}
    assert "score" in reply.json()["error"]


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(ONE_COLUMN))
def test_v1_predicts_one_value_a_row(models_of: Any, scenario: str, runtime: str) -> None:
    names = list(COLUMNS)
    rows = zip(*(data for _, data in COLUMNS.values()), strict=True)
    body = json.dumps({"instances": [dict(zip(names, row, strict=True)) for row in rows]})
    path = f"/v1/models/{scenario}:predict"
    reply = models_of(runtime).post(path, body, "application/json")
    expected = [row[0] for row in ANSWERS[scenario][1]]
    assert (reply.status_code, reply.json()) == (200, {"predictions": expected})


def typed(text: str, datatype: str) -> Any:
    """A cell of a CSV file as a client of this datatype sends it."""
    if datatype == "BYTES" or not text:
        return text or None
    return {"FP64": float, "INT64": int, "BOOL": lambda word: word == "true"}[datatype](text)


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(BUILTIN))
def test_a_client_sends_what_the_metadata_say(
    models_of: Any, made: Any, scenario: str, runtime: str
) -> None:
    server, model = models_of(runtime), made(runtime, scenario)
    server.post(f"/models/{scenario}/predict/", model.input.read_bytes())  # loads it
    found = server.get(f"/v2/models/{scenario}").json()
    with model.input.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [tensor["name"] for tensor in found["inputs"]]
    assert set(names) <= set(rows[0])
    inputs = [
        {
            "name": tensor["name"],
            "datatype": tensor["datatype"],
            "shape": [len(rows)],
            "data": [typed(row[tensor["name"]], tensor["datatype"]) for row in rows],
        }
        for tensor in found["inputs"]
    ]
    header, expected = model.expected
    outputs = infer(
        server, scenario, inputs, outputs=[{"name": t["name"]} for t in found["outputs"]]
    )
    if scenario == "regression":
        assert outputs["predict"] == pytest.approx([row[0] for row in expected], rel=1e-6)
        return
    classes = json.loads(found["outputs"][1]["parameters"]["classes"])
    order = [header.index(label) for label in classes]
    flat = [row[place] for row in expected for place in order]
    assert outputs["predict_proba"] == pytest.approx(flat, rel=1e-6, abs=1e-9)
    assert outputs["predict"] == [header[row.index(max(row))] for row in expected]
