"""Columns to Java and back: every type, missing cells, other alphabets, none and many rows."""

from __future__ import annotations

import numpy as np
import pytest

from polyhost.bridges.java.tables import decode, encode
from polyhost.data.payload import Dictionary, Table

pytestmark = pytest.mark.runtime("java")

IDENTITY = "public Table transform(Table rows, Object model) { return rows; }"


def objects(*values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def plain(column):
    values = column.to_objects() if isinstance(column, Dictionary) else column
    return values.dtype, values.tolist()


COLUMNS = {
    "float64": (np.array([1.5, np.nan, -np.inf, 5e-324]),) * 2,
    "float32": (np.array([1.5, np.nan], np.float32), np.array([1.5, np.nan])),
    "int64": (np.array([2**63 - 1, -(2**63)]),) * 2,
    "int8": (np.array([-128, 127], np.int8), np.array([-128, 127])),
    "uint64": (np.array([1, 2], np.uint64), np.array([1, 2])),
    "uint64 too big": (np.array([2**64 - 1], np.uint64), np.array([2.0**64])),
    "bool": (np.array([True, False]),) * 2,
    "bool with missing": (objects(True, None, False),) * 2,
    "text": (objects("a", "", None, "größe", "名前", "🙂", "a\nb", "a"),) * 2,
    "dictionary": (Dictionary(np.array([1, -1, 0], np.int32), ("x", "y")), objects("y", None, "x")),
    "all missing": (objects(None, None),) * 2,
    "time": (np.array(["2020-01-01T12:00:00.000000001", "NaT", "1969-12-31"], "datetime64[ns]"),)
    * 2,
    "days": (np.array(["2020-01-01"], "M8[D]"), np.array(["2020-01-01"], "M8[ns]")),
    "numbers with missing": (objects(1, None, 2.5), np.array([1.0, np.nan, 2.5])),
    "whole objects": (objects(1, 2), np.array([1, 2])),
    "beyond 64 bits": (objects(2**70, 1), np.array([2.0**70, 1.0])),
    "a mixture": (objects("a", 1, True, None), objects("a", "1", "true", None)),
    "nested": (objects([1, 2], {"a": None}), objects("[1, 2]", '{"a": null}')),
    "strided": (np.arange(10.0)[::3], np.array([0.0, 3.0, 6.0, 9.0])),
}


@pytest.fixture(scope="module")
def echo(opened):
    """A table through Java and back."""
    guest = opened(IDENTITY)
    return lambda table: guest.unwrap(guest.hook("transform", table, guest.context()))


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_as_it_went(echo, name):
    sent, expected = COLUMNS[name]
    back = echo(Table(["größe"], [sent]))
    assert back.names == ("größe",)
    assert repr(plain(back.columns[0])) == repr(plain(expected))


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_without_rows(echo, name):
    sent, _ = COLUMNS[name]
    empty = Table(["x"], [sent]).slice(0, 0)
    assert echo(empty).rows == 0


def test_names_may_repeat_and_be_empty(echo):
    table = Table(["a", "a", ""], [np.array([1.0]), np.array([2.0]), np.array([3.0])])
    back = echo(table)
    assert back.names == ("a", "a", "")
    assert [column[0] for column in back.columns] == [1.0, 2.0, 3.0]


def test_many_rows(echo):
    rows = 300_000
    numbers = np.random.default_rng(1).normal(size=rows)
    words = objects(*(f"word {i % 1000}" for i in range(rows)))
    back = echo(Table(["n", "w"], [numbers, words]))
    assert np.array_equal(back.columns[0], numbers)
    assert np.array_equal(back.columns[1].to_objects(), words)


def test_java_sees_the_cells_as_java_values(opened):
    guest = opened(
        """public Table transform(Table rows, Object model) {
             String[] seen = new String[rows.names().size()];
             for (int i = 0; i < seen.length; i++) {
               Column column = rows.columns().get(i);
               seen[i] = column.type() + " " + column.text(0) + " " + column.isMissing(1);
             }
             return Table.of("seen", seen);
           }"""
    )
    table = Table(
        ["n", "i", "b", "t", "d"],
        [
            np.array([0.1, np.nan]),
            np.array([7, 8]),
            objects(True, None),
            objects("ü", None),
            np.array(["2020-02-03T04:05:06", "NaT"], "M8[s]"),
        ],
    )
    seen = guest.unwrap(guest.hook("transform", table, guest.context())).columns[0]
    assert list(seen.to_objects()) == [
        "NUMBER 0.1 true",
        "INTEGER 7 false",
        "BOOLEAN true true",
        "TEXT ü true",
        "TIME 2020-02-03T04:05:06Z true",
    ]


def test_the_block_of_bytes_is_its_own_inverse():
    table = Table(["x", "y"], [np.array([1.0, 2.0]), objects("a", None)])
    assert encode(decode(encode(table))) == encode(table)


def test_a_lone_surrogate_is_no_text():
    assert decode(encode(Table(["x"], [objects("\ud800")]))).columns[0].values == ("?",)
