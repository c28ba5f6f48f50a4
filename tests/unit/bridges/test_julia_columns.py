"""Columns to Julia and back: the values, and the types that Julia sees."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from polyhost.data.payload import Dictionary, Table
from polyhost.errors import InvalidOutput, SchemaMismatch

pytestmark = pytest.mark.runtime("julia")

CUSTOM = """
load_model(code_dir) = "identity"
transform(data, model) = data
types(data) = NamedTuple{Tuple(Symbol.(names(data)))}([string(eltype(c))] for c in eachcol(data))
score(data, model) = types(data)
post_process(predictions, model) = (
    mixed = Any[1, "x", 2.5, nothing, missing, true],
    whole = [1, 2, missing, 4, 5, 6],
    labels = [:a, :b, :c, :d, :e, :f],
    letters = ['a', 'é', 'c', 'd', 'e', 'f'],
    ratios = [1 // 2, 1 // 4, 3, 4, 5, 6],
    rows = [[1, 2], Dict("k" => nothing), (v = "é\\"\\n",), [], 3, "t"],
    flags = BitVector([true, false, true, false, true, false]),
    views = view([0.0, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5], 2:7),
    nothings = fill(nothing, 6),
)
"""


@pytest.fixture(scope="module")
def guest(opened):
    return opened(CUSTOM)


def there_and_back(guest, table):
    held = guest.hook("transform", guest.wrap(table), guest.context())
    return guest.unwrap(held)


def seen(guest, table):
    held = guest.hook("score", guest.wrap(table), guest.context())
    return [column[0] for column in guest.unwrap(held).columns]


NUMBERS = ["f8", "f4", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]


@pytest.mark.parametrize("dtype", NUMBERS)
def test_numbers_keep_type_and_value(guest, dtype):
    limits = [0, 1] if dtype == "?" else limits_of(np.dtype(dtype))
    column = np.array(limits, dtype=dtype)
    back = there_and_back(guest, Table(["n"], [column])).columns[0]
    assert (back.dtype, back.tolist()) == (column.dtype, column.tolist())


def limits_of(dtype):
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return [info.min, 0, 1, info.max]


@pytest.mark.parametrize(
    ("column", "type_seen", "back"),
    [
        (np.array([1.5, np.nan]), "Union{Missing, Float64}", [1.5, None]),
        (np.array([1.5, np.nan], "f4"), "Union{Missing, Float32}", [1.5, None]),
        (np.array([1.5, np.inf]), "Float64", [1.5, np.inf]),
        (np.array(["x", "né"], object), "String", ["x", "né"]),
        (
            np.array(["", None, "日本\0語"], object),
            "Union{Missing, String}",
            ["", None, "日本\0語"],
        ),
        (np.array(["x", "yy"]), "String", ["x", "yy"]),
        (np.array([True, None], object), "Union{Missing, Bool}", [True, None]),
        (np.array([2**62, None], object), "Union{Missing, Int64}", [2.0**62, None]),
        (np.array([2**62, 3], object), "Int64", [2**62, 3]),
        (np.array([2**70, 1], object), "Float64", [2.0**70, 1.0]),
        (np.array([1, 2.5, None], object), "Union{Missing, Float64}", [1.0, 2.5, None]),
        (np.array([None, None], object), "Union{Missing, Float64}", [None, None]),
        (
            np.array([1, "x", True, None], object),
            "Union{Missing, String}",
            ["1", "x", "true", None],
        ),
        (Dictionary(np.array([1, 0, 1], "i4"), ("a", "é")), "String", ["é", "a", "é"]),
        (Dictionary(np.array([0, -1], "i4"), ("a",)), "Union{Missing, String}", ["a", None]),
        (np.array(["2020-02-29", "1969-12-31"], "M8[D]"), "Dates.Date", None),
        (np.array(["2020-02-29", "NaT"], "M8[D]"), "Union{Missing, Dates.Date}", None),
        (np.array(["2020-02-29T01:02:03.004"], "M8[ms]"), "Dates.DateTime", None),
        (np.array([datetime.date(2020, 1, 2), None], object), "Union{Missing, Dates.Date}", None),
    ],
)
def test_what_julia_sees_and_gives_back(guest, column, type_seen, back):
    table = Table(["c"], [column])
    assert seen(guest, table) == [type_seen]
    found = there_and_back(guest, table).columns[0]
    if back is None:  # times
        expected = np.array([np.datetime64(v if v is not None else "NaT") for v in column.tolist()])
        assert found.astype("M8[ms]").tolist() == expected.astype("M8[ms]").tolist()
    else:
        assert [None if v != v else v for v in found.tolist()] == back


def test_strided_and_swapped_columns(guest):
    column = np.arange(10, dtype=">i4")[::3]
    back = there_and_back(guest, Table(["n"], [column])).columns[0]
    assert back.tolist() == [0, 3, 6, 9]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("rows", [0, 1, 2, 1000])
def test_a_matrix_goes_over_as_columns(guest, rows, order):
    matrix = np.asarray(np.random.default_rng(0).normal(size=(rows, 3)), order=order)
    back = there_and_back(guest, Table.from_matrix(["a", "b", "c"], matrix))
    assert back.names == ("a", "b", "c")
    np.testing.assert_array_equal(np.column_stack(back.columns), matrix)


def test_no_rows(guest):
    columns = [np.zeros(0), np.array([], object), np.array([], "?"), np.array([], "M8[D]")]
    back = there_and_back(guest, Table(["a", "b", "c", "d"], columns))
    assert (back.rows, [len(c) for c in back.columns]) == (0, [0, 0, 0, 0])


def test_names_of_any_text_and_repeated_ones(guest):
    names = ["größe", "a b", "a b", 'q"\\', "日本"]
    back = there_and_back(guest, Table(names, [np.ones(1)] * 5))
    assert back.names == ("größe", "a b", "a b_1", 'q"\\', "日本")


def test_many_rows(guest):
    numbers = np.random.default_rng(0).normal(size=200_000)
    words = np.array([f"word {i % 977} é" for i in range(200_000)], dtype=object)
    back = there_and_back(guest, Table(["n", "w"], [numbers, words]))
    np.testing.assert_array_equal(back.columns[0], numbers)
    assert back.columns[1].tolist() == words.tolist()


def test_a_hook_cannot_change_the_caller_s_memory(opened):
    guest = opened("load_model(d) = 1\ntransform(data, model) = (data.a .= 7; data)")
    table = guest.wrap(Table(["a"], [np.ones(3)]))
    guest.hook("transform", table, guest.context())
    assert guest.unwrap(table).columns[0].tolist() == [7.0] * 3  # the frame that the hook changed


def test_columns_only_julia_has(guest):
    held = guest.wrap(Table(["a"], [np.ones(1)]))
    table = guest.unwrap(guest.hook("post_process", held, guest.context()))
    found = {name: column.tolist() for name, column in table}
    assert found["mixed"] == [1, "x", 2.5, None, None, True]
    assert [None if v != v else v for v in found["whole"]] == [1, 2, None, 4, 5, 6]
    assert found["labels"] == list("abcdef")
    assert found["letters"] == list("aécdef")
    assert found["ratios"] == [0.5, 0.25, 3.0, 4.0, 5.0, 6.0]
    assert found["rows"] == [[1, 2], {"k": None}, {"v": 'é"\n'}, [], 3, "t"]
    assert found["flags"] == [True, False] * 3
    assert found["views"] == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    assert np.isnan(found["nothings"]).all()


def test_a_column_of_another_kind_is_refused(guest):
    with pytest.raises(SchemaMismatch, match="complex128"):
        there_and_back(guest, Table(["z"], [np.ones(2, complex)]))


@pytest.mark.parametrize("value", ["[1, 2]", "1", '"text"', "Dict(1 => 2)", "nothing"])
def test_what_is_no_table_is_invalid_output(opened, value):
    guest = opened(f"load_model(d) = 1\nscore(data, model) = {value}")
    held = guest.hook("score", guest.wrap(Table(["a"], [np.ones(1)])), guest.context())
    assert guest.rows(held) is None
    with pytest.raises(InvalidOutput, match=r"^score returned .* expected a table"):
        guest.unwrap(held)
