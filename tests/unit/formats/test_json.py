from __future__ import annotations

import json as standard
import math
from decimal import Decimal

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
    found = json.loads(b'{"a": [NaN, Infinity, -Infinity, 1e400, 123456789012345678901]}')["a"]
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf, math.inf, 123456789012345678901]


@pytest.mark.usefixtures("json_library")
@pytest.mark.parametrize("body", [b"", b"{", b'{"a":1}x', b'"\xff"', b"[1,]"])
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


@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_ten_decimals_as_pandas_writes_them(values):
    found = json.rounded(np.array(values)).tolist()
    expected = standard.loads(pd.Series(values).to_json(orient="values", double_precision=10))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-14, abs=1.01e-10)


@given(st.floats(-1e5, 1e5))
def test_never_more_than_ten_decimals(value):
    found = json.rounded(np.array([value])).tolist()[0]
    assert -Decimal(repr(found)).as_tuple().exponent <= 10 or abs(found) < 1e-10
    assert abs(found - value) <= 1e-10


def test_nan_and_infinity_become_null():
    values = json.rounded(np.array([np.nan, np.inf, 0.12345678901234, 1e15])).tolist()
    assert json.dumps(values) == b"[null,null,0.123456789,1000000000000000.0]"
