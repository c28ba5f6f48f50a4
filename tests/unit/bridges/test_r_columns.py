"""Columns of every kind to R and back, and what R says that they are there."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from support.r_models import open_guest, write_hooks

from polyhost.data.payload import Dictionary, SparseTable, Table
from polyhost.errors import InvalidInput, SchemaMismatch

pytestmark = pytest.mark.runtime("r")

# Answers with what each column is in R.
TELL = """score <- function(data, model) data.frame(
  class = vapply(data, function(x) paste(class(x), collapse = "/"), ""),
  missing = vapply(data, function(x) sum(is.na(x) & !is.nan(x)), 1L),
  text = vapply(data, function(x) paste(format(x, digits = 17), collapse = "|"), ""),
  row.names = NULL)"""


@pytest.fixture
def echo(tmp_path):
    """``echo(table)``: the table as it comes back from R."""
    guest = open_guest(write_hooks(tmp_path / "echo", "score <- function(data, model) data"))
    return lambda table: guest.unwrap(guest.hook("score", guest.wrap(table), None))


@pytest.fixture
def tell(tmp_path):
    """``tell(column)``: its class in R, how many are missing, and its cells."""
    guest = open_guest(write_hooks(tmp_path / "tell", TELL))

    def ask(column):
        table = guest.unwrap(guest.hook("score", guest.wrap(Table(("x",), (column,))), None))
        kind, missing, text = (
            c.to_objects() if isinstance(c, Dictionary) else c for c in table.columns
        )
        return kind[0], missing[0], text[0].replace(" ", "")

    return ask


def objects(*values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def listed(column):
    return (column.to_objects() if isinstance(column, Dictionary) else column).tolist()


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (np.array([1.5, np.nan, np.inf]), ("numeric", 1, "1.5|NA|Inf")),
        (np.array([1.5, 2.5], np.float32), ("numeric", 0, "1.5|2.5")),
        (np.array([1, -2], np.int64), ("integer", 0, "1|-2")),
        (np.array([1, 255], np.uint8), ("integer", 0, "1|255")),
        (np.array([1, 2**40], np.int64), ("numeric", 0, "1|1099511627776")),
        (np.array([0, -(2**31)], np.int64), ("numeric", 0, "0|-2147483648")),
        (np.array([True, False]), ("logical", 0, "TRUE|FALSE")),
        (objects(True, None), ("logical", 1, "TRUE|NA")),
        (objects("a", None, "é"), ("character", 1, "a|NA|é")),
        (objects("NA", ""), ("character", 0, "NA|")),
        (objects(1, None, 3), ("integer", 1, "1|NA|3")),
        (objects(1, 2.5, None), ("numeric", 1, "1.0|2.5|NA")),
        (objects(float("nan"), "x"), ("character", 1, "NA|x")),
        (objects("a", 1, 2.5, True), ("character", 0, "a|1|2.5|TRUE")),
        (objects(None, None), ("logical", 2, "NA|NA")),
        (objects(datetime.date(2020, 1, 2), None), ("Date", 1, "2020-01-02|NA")),
        (np.array(["x", "y"]), ("character", 0, "x|y")),
        (Dictionary(np.array([1, -1, 0], np.int32), ("a", "b")), ("character", 1, "b|NA|a")),
        (
            np.array(["2020-01-02T03:04:05", "NaT"], "datetime64[s]"),
            ("POSIXct/POSIXt", 1, "2020-01-0203:04:05|NA"),
        ),
    ],
)
def test_each_kind_is_what_read_csv_would_give(tell, column, told):
    assert tell(column) == told


@pytest.mark.parametrize("rows", [0, 1, 64, 65, 3000])
def test_text_of_any_length_comes_back(echo, rows):
    texts = [None if i % 7 == 3 else f"té|xt \U0001f600{i}" for i in range(rows)]
    few = [["a", "", None, "b"][i % 4] for i in range(rows)]
    table = echo(Table(("many", "few"), (objects(*texts), objects(*few))))
    if rows:
        assert [listed(column) for column in table.columns] == [texts, few]
    assert table.rows == rows


def test_distinct_texts_that_hold_the_separator_come_back(echo):
    texts = [f"{i}\x1f{i}" for i in range(200)]
    assert listed(echo(Table(("x",), (objects(*texts),))).columns[0]) == texts


def test_the_last_distinct_text_may_be_empty(echo):
    texts = [f"t{i}" for i in range(100)] + [""]
    assert listed(echo(Table(("x",), (objects(*texts),))).columns[0]) == texts


def test_names_come_back_as_they_are(echo):
    names = ("a", "a", "TPA(ADJ)_fr", "x y(1)/é", "", "日本")
    table = echo(Table(names, tuple(np.arange(2.0) + i for i in range(6))))
    assert table.names == names
    assert [column.tolist() for column in table.columns] == [[i, i + 1] for i in range(6)]


def test_a_matrix_and_its_holes_come_back(echo):
    matrix = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, 6.0]])
    table = echo(Table.from_matrix(("a", "b", "c"), matrix))
    assert np.array_equal(np.column_stack(table.columns), matrix, equal_nan=True)


@pytest.mark.parametrize("names", [(), ("a",)])
def test_a_table_without_rows_comes_back(echo, names):
    table = echo(Table(names, tuple(np.array([]) for _ in names)))
    assert (table.names, table.rows) == (names, 0)


def test_integers_and_logicals_with_holes_come_back(echo):
    table = echo(Table(("i", "l"), (objects(1, None), objects(True, None))))
    whole, flags = table.columns
    assert np.array_equal(whole, [1.0, np.nan], equal_nan=True)
    assert flags.tolist() == [True, None]


def test_a_hook_does_not_change_what_it_was_given(tmp_path):
    hooks = "score <- function(data, model) {data$x[1] <- 99; names(data) <- 'y'; data}"
    guest = open_guest(write_hooks(tmp_path, hooks))
    data = guest.wrap(Table(("x",), (np.array([1.0, 2.0]),)))
    assert guest.unwrap(guest.hook("score", data, None)).names == ("y",)
    again = guest.unwrap(data)
    assert (again.names, again.columns[0].tolist()) == (("x",), [1.0, 2.0])
    assert guest.unwrap(guest.wrap(Table(("x",), (np.array([5.0]),)))).names == ("x",)


def test_a_sparse_table_is_a_sparse_matrix(tmp_path):
    hooks = """score <- function(data, model) data.frame(
      sum = Matrix::rowSums(data), class = as.vector(class(data)), names = paste(colnames(data), collapse = ","))"""
    guest = open_guest(write_hooks(tmp_path, hooks))
    coordinates = (np.array([0, 2]), np.array([1, 0]), np.array([5.0, 7.0]))
    data = guest.wrap(SparseTable(("a", "b"), 3, coordinates))
    table = guest.unwrap(guest.hook("score", data, None))
    assert guest.rows(data) == 3
    assert [listed(column) for column in table.columns] == [
        [5.0, 0.0, 7.0],
        ["dgTMatrix"] * 3,
        ["a,b"] * 3,
    ]


@pytest.mark.parametrize(
    ("column", "error", "says"),
    [
        (objects({"a": 1}), SchemaMismatch, "column 'x' cannot go to R.*found dict"),
        (objects([1, 2], "a"), SchemaMismatch, "found list, str"),
        (np.array([1j]), SchemaMismatch, "complex128"),
        (objects("a\0b"), InvalidInput, "NUL"),
        (objects("\ud800"), InvalidInput, "lone surrogate"),
        (objects(*(f"{i}" for i in range(99)), "\0"), InvalidInput, "NUL"),
    ],
)
def test_what_r_cannot_hold_is_the_callers(echo, column, error, says):
    with pytest.raises(error, match=says):
        echo(Table(("x",), (column,)))
    assert echo(Table(("x",), (np.array([1.0]),))).rows == 1
