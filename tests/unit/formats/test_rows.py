from __future__ import annotations

import json

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.errors import InvalidInput
from polyhost.formats import rows


def body(**value: object) -> bytes:
    return json.dumps(value).encode()


def test_split_and_records_are_the_same_rows():
    split = rows.decode(
        body(dataframe_split={"columns": ["a", "b"], "data": [[1, "x"], [2, None]]})
    )
    records = rows.decode(body(dataframe_records=[{"a": 1, "b": "x"}, {"a": 2}]))
    assert split == records == (("a", "b"), [[1, "x"], [2, None]])


def test_columns_in_order_of_first_appearance():
    found = rows.decode(body(dataframe_records=[{"b": 1}, {"a": 2, "b": 3}, {"b": 4, "a": 5}]))
    assert found == (("b", "a"), [[1, None], [3, 2], [4, 5]])


def test_columns_may_be_absent_and_an_index_is_dropped():
    found = rows.decode(body(dataframe_split={"data": [[1, 2]], "index": [7]}))
    assert found == (("0", "1"), [[1, 2]])


def test_other_keys_are_dropped():
    value = {"dataframe_records": [{"a": 1}], "params": None, "signature_name": "x"}
    assert rows.decode(body(**value)) == (("a",), [[1]])


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"[1]", "or a list of cells, for each row; found a list"),
        (b'[[1], {"a": 1}]', "found a list"),
        (b"[[1, 2], [3]]", "row 1 of the list has 1 value"),
        (b"3", "found a number"),
        (b"{}", "Expected exactly one of"),
        (body(dataframe_split={"data": []}, inputs=[]), "found dataframe_split, inputs"),
        (body(inputs=3), "must be a list with an item a row; found a number"),
        (body(instances=[1, [2]]), "mixes a list, a number"),
        (body(instances=[{"a": 1}, 2]), "mixes a number, an object"),
        (body(instances=[]), "no rows"),
        (body(inputs={"a": [1, 2], "b": [1]}), "no columns of one length"),
        (body(inputs={"a": 1}), "no columns of one length"),
        (body(dataframe_split=[1]), "must be an object"),
        (body(dataframe_split={"columns": ["a"]}), "needs 'data'"),
        (body(dataframe_split={"data": [], "rows": 1}), "found rows"),
        (body(dataframe_split={"columns": "a", "data": []}), "'columns' must be a list"),
        (body(dataframe_split={"columns": ["a"], "data": [[1], [1, 2]]}), "row 1 .* 2 value"),
        (body(dataframe_split={"columns": ["a"], "data": [1]}), "row 0 .* found a number"),
        (body(dataframe_records={"a": 1}), "must be a list of objects; found an object"),
        (body(dataframe_records=[{"a": 1}, [1]]), "row 1 is a list"),
    ],
)
def test_what_does_not_fit_is_told(sent, says):
    with pytest.raises(InvalidInput, match=says):
        rows.decode(sent)


cell = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(2**64, 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=3),
)


@given(st.lists(st.one_of(cell, st.lists(cell, max_size=2)), min_size=1, max_size=4))
def test_columns_are_typed_as_pandas_types_them(values):
    found = rows.column(values)
    expected = pd.DataFrame({"a": pd.Series(values, dtype=None)})["a"].to_numpy()
    if expected.dtype.kind in "bif" and not any(isinstance(v, list) for v in values):
        assert found.dtype.kind == expected.dtype.kind
        assert np.array_equal(found, expected, equal_nan=found.dtype.kind == "f")
    else:
        assert found.dtype.kind in "Of"
        assert [v for v in found if v is not None and v == v] == [
            v for v in values if v is not None
        ]


def test_a_matrix_where_all_cells_are_numbers():
    table = rows.table(("a", "b"), [[1, None], [2.5, True]], numeric=True)
    assert np.array_equal(table.matrix, [[1, np.nan], [2.5, 1]], equal_nan=True)
    table = rows.table(("a", "b"), [[1, "x"]], numeric=True)
    assert (table.matrix, table.columns[1].tolist()) == (None, ["x"])
    assert rows.table(("a",), [], numeric=True).matrix.shape == (0, 1)
    assert rows.table(("a",), [], numeric=False).rows == 0


def test_a_list_of_records_is_a_body_of_its_own():
    records = [{"a": 1, "b": "x"}, {"b": "y", "a": 2.5}]
    wrapped = rows.decode(orjson.dumps({"dataframe_records": records}))
    assert rows.decode(orjson.dumps(records)) == wrapped == (("a", "b"), [[1, "x"], [2.5, "y"]])
