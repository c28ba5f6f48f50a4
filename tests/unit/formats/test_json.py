from __future__ import annotations

import json as standard
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.errors import InvalidInput
from polyhost.formats import json


@pytest.fixture(params=["orjson", "standard"])
def json_library(request, monkeypatch):
    if request.param == "standard":
        monkeypatch.setattr(json, "orjson", None)


@pytest.mark.usefixtures("json_library")
def test_literals_that_are_no_json_are_read():
    found = json.loads(b'{"a": [NaN, Infinity, -Infinity, 123456789012345678901]}')["a"]
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf, 123456789012345678901]


@pytest.mark.usefixtures("json_library")
@pytest.mark.parametrize("body", [b"", b"{", b'{"a":1}x', b'"\xff"', b"[1,]", b"[1e400]"])
def test_malformed_bodies_are_the_callers_mistake(body):
    with pytest.raises(InvalidInput, match="not valid JSON"):
        json.loads(body)


@pytest.mark.usefixtures("json_library")
def test_values_that_json_has_no_form_for():
    value = {
        "nan": float("nan"),
        1: np.float64(0.5),
        "array": np.array([1, 2]),
        "bytes": b"ab",
        "date": pd.Timestamp("2024-01-02T03:04:05"),
        "tuple": (1, math.inf),
        "big": 2**70,
    }
    assert standard.loads(json.dumps(value)) == {
        "nan": None,
        "1": 0.5,
        "array": [1, 2],
        "bytes": "ab",
        "date": "2024-01-02T03:04:05",
        "tuple": [1, None],
        "big": 2**70,
    }


@pytest.mark.usefixtures("json_library")
def test_a_value_of_no_kind_is_a_type_error():
    with pytest.raises(TypeError, match="object cannot be sent as JSON"):
        json.dumps(object())


@pytest.mark.usefixtures("json_library")
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_read_back_the_same(values):
    assert standard.loads(json.dumps(values)) == values


@pytest.mark.usefixtures("json_library")
def test_nan_and_infinity_become_null():
    values = np.array([np.nan, np.inf, 0.12345678901234, 6.2e-8, 1e15]).tolist()
    found = json.dumps(values)
    assert found.startswith(b"[null,null,0.12345678901234,")
    assert standard.loads(found)[3:] == [6.2e-8, 1e15]
