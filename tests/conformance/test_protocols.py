"""Scenarios over the protocols of other servers' clients: the same answers in every language."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.cases import cases_without_gaps
from conformance.test_answers import ANSWERS
from support.served import Served

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


def infer(server: Served, scenario: str, **more: Any) -> Any:
    place = f"/v2/models/{scenario}/infer"
    reply = server.client.post(place, json={"inputs": INPUTS, **more})
    assert reply.status_code == 200, reply.text
    return {output["name"]: output["data"] for output in reply.json()["outputs"]}


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(ONE_COLUMN))
def test_v2_predicts_one_value_a_row(host_of: Any, scenario: str, runtime: str) -> None:
    expected = [row[0] for row in ANSWERS[scenario][1]]
    assert infer(host_of(runtime), scenario) == {"predict": expected}


@pytest.mark.parametrize(
    ("scenario", "runtime"), cases_without_gaps(["score_binary", "score_multiclass", "multilabel"])
)
def test_v2_predicts_classes(host_of: Any, scenario: str, runtime: str) -> None:
    header, rows = ANSWERS[scenario]
    outputs = [{"name": "predict_proba"}, {"name": "predict"}]
    found = infer(host_of(runtime), scenario, outputs=outputs)
    assert found["predict_proba"] == pytest.approx([cell for row in rows for cell in row])
    if scenario == "multilabel":
        assert found["predict"] == [int(cell > 0.5) for row in rows for cell in row]
    else:
        assert found["predict"] == [header[row.index(max(row))] for row in rows]


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["unstructured"]))
def test_v2_hands_a_body_to_a_model_that_takes_any(
    host_of: Any, scenario: str, runtime: str
) -> None:
    server = host_of(runtime)
    direct = server.post(f"/models/{scenario}/predictUnstructured/", "one two", "text/plain")
    tensor = {"name": "body", "datatype": "BYTES", "shape": [1], "data": ["one two"]}
    reply = server.client.post(f"/v2/models/{scenario}/infer", json={"inputs": [tensor]})
    assert reply.json()["outputs"][0]["data"] == [direct.text]


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["raises_in_score"]))
def test_v2_reports_what_the_model_raised(host_of: Any, scenario: str, runtime: str) -> None:
    reply = host_of(runtime).client.post(f"/v2/models/{scenario}/infer", json={"inputs": INPUTS})
    assert reply.status_code == 500
    assert set(reply.json()) == {"error"}
    assert "score" in reply.json()["error"]
