"""The result type that an MLflow signature gives; the wanted ones are what MLflow 3.17's ``spark_udf`` infers."""

from __future__ import annotations

import json

import pytest
import yaml

from polyhost.spark.result_types import default_of

TENSOR = {"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}
MATRIX = {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [
        ([{"type": "long"}], "bigint"),
        ([{"type": "string", "name": "label"}], "string"),
        ([TENSOR], "bigint"),
        ([MATRIX], "array<float>"),
        ([{"type": "array", "items": {"type": "double"}}], "array<double>"),
        (
            [{"type": "double", "name": "low"}, {"type": "long", "name": "n"}],
            "`low` double, `n` bigint",
        ),
        ([{"type": "datetime"}], "double"),
    ],
)
def test_outputs_of_a_signature(tmp_path, outputs, wanted):
    document = {"signature": {"inputs": "[]", "outputs": json.dumps(outputs)}}
    (tmp_path / "MLmodel").write_text(yaml.safe_dump(document))
    assert default_of(str(tmp_path)) == wanted


@pytest.mark.parametrize("text", [None, "flavors: {}\n", "signature: {outputs: null}\n", "{"])
def test_without_outputs_it_is_double(tmp_path, text):
    if text is not None:
        (tmp_path / "MLmodel").write_text(text)
    assert default_of(str(tmp_path)) == "double"
