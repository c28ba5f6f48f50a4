"""A model's own schema decides what a cell means, whatever format it came in."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from polyhost.data.column_info import ColumnInfo
from polyhost.data.payload import Dictionary, Table
from polyhost.errors import SchemaMismatch
from polyhost.formats import csv_cells
from polyhost.formats.rows import objects
from polyhost.pipeline.apply_schema import Schema


def from_csv(*cells):
    text = "c,filler\n" + "".join(f'"{cell}",x\n' for cell in cells)
    return csv_cells.read(text.encode()).select([0])


def from_json(*cells):
    return Table(["c"], [objects(cells)])


def values(info, table, **options):
    column = Schema([info], **options).apply(table).columns[0]
    found = column.to_objects() if isinstance(column, Dictionary) else column
    return [None if cell != cell else cell for cell in found.tolist()]


NUMBER = ColumnInfo("c", "number")
INTEGER = ColumnInfo("c", "integer")
BOOLEAN = ColumnInfo("c", "boolean")
TEXT = ColumnInfo("c", "text")
COUNTRY = ColumnInfo("c", "category", levels=("DE", "NA", "FR"))
CODES = ColumnInfo("c", "category", levels=("1", "2", "10"))
PADDED = ColumnInfo("c", "category", levels=("007", "008", "7"))
FLAGS = ColumnInfo("c", "category", levels=("TRUE", "FALSE"))
SEX = ColumnInfo("c", "category", levels=("F", "M"))
DAY = ColumnInfo("c", "date")
MOMENT = ColumnInfo("c", "time")


@pytest.mark.parametrize(
    ("info", "cells", "expected"),
    [
        (NUMBER, ["1", "2.5e3", "", "NA", "nan", "true"], [1.0, 2500.0, None, None, None, 1.0]),
        (INTEGER, ["1", "2.0", "-9223372036854775808"], [1, 2, -(2**63)]),
        (BOOLEAN, ["TRUE", "false", "T", "0", ""], [True, False, True, False, None]),
        (TEXT, ["007", "NA", "true", "1.0", " x", ""], ["007", "NA", "true", "1.0", " x", None]),
        (COUNTRY, ["NA", "FR", "", "null"], ["NA", "FR", None, None]),
        (CODES, ["10.0", "1", " 2"], ["10", "1", "2"]),
        (PADDED, ["007", "7", "7.0"], ["007", "7", "7"]),
        (FLAGS, ["true", "False", "T"], ["TRUE", "FALSE", "TRUE"]),
        (SEX, ["F", "M"], ["F", "M"]),
    ],
)
def test_a_cell_means_what_its_column_is(info, cells, expected):
    assert values(info, from_csv(*cells)) == expected
    assert values(info, from_json(*cells)) == ([*expected] if "" not in cells else expected)
    for cell, wanted in zip(cells, expected, strict=True):  # alone it means the same
        assert values(info, from_csv(cell)) == [wanted]


@pytest.mark.parametrize(
    ("info", "cells", "expected"),
    [
        (NUMBER, [1, 2.5, None, True, "3"], [1.0, 2.5, None, 1.0, 3.0]),
        (TEXT, [1000, 1.5, True, "x", None], ["1000", "1.5", "true", "x", None]),
        (CODES, [1, 10.0, "2", None], ["1", "10", "2", None]),
        (FLAGS, [True, False, None], ["TRUE", "FALSE", None]),
        (INTEGER, [2**62 + 1, 1.0], [2**62 + 1, 1]),
    ],
)
def test_typed_cells_of_json(info, cells, expected):
    assert values(info, from_json(*cells)) == expected


def test_typed_columns_of_arrow():
    for column in (
        np.array([1, 10]),
        np.array([1.0, 10.0]),
        Dictionary(np.array([0, 1]), ("1", "10")),
    ):
        assert values(CODES, Table(["c"], [column])) == ["1", "10"]
    assert values(FLAGS, Table(["c"], [np.array([True, False])])) == ["TRUE", "FALSE"]
    assert values(CODES, Table(["c"], [np.array([1.0, np.nan])])) == ["1", None]
    days = np.array(["2024-05-31", "NaT"], "M8[ns]")
    assert str(Schema([DAY]).apply(Table(["c"], [days])).columns[0][0]) == "2024-05-31"


def test_dates_and_times():
    for day in ("2024-05-31", "2024/05/31", "2024-05-31T00:00:00Z", "2024-05-31 00:00:00"):
        assert str(Schema([DAY]).apply(from_csv(day)).columns[0][0]) == "2024-05-31"
    found = Schema([MOMENT]).apply(from_csv("2024-05-31T12:00:00.25+02:00", "")).columns[0]
    assert found.tolist() == [np.datetime64("2024-05-31T10:00:00.250").astype(object), None]


@pytest.mark.parametrize(
    ("info", "cell", "says"),
    [
        (NUMBER, "x", r"column 'c', row 2: found 'x' where the model expects a number\. Send"),
        (NUMBER, "1e999", "64-bit float can hold"),
        (NUMBER, "1_000", r"expects a number\. Send"),
        (INTEGER, "2.5", r"expects a whole number of 64 bits\. Send"),
        (INTEGER, "9223372036854775808", "64 bits"),
        (BOOLEAN, "2", r"expects true or false\. Send"),
        (DAY, "2024-05-31 12:00", "without a time of day"),
        (DAY, "31.05.2024", "ISO 8601"),
        (CODES, "3", r"row 2: the model was not trained with '3'; it knows '1', '2', '10'"),
        (PADDED, "07", "was not trained with '07'"),
        (SEX, "False", "was not trained with 'False'"),
    ],
)
def test_what_a_column_cannot_hold(info, cell, says):
    for table in (from_csv("", cell), from_json(None, cell)):
        with pytest.raises(SchemaMismatch, match=says):
            Schema([info]).apply(table)


@pytest.mark.parametrize("cell", [[1], {"a": 1}, "\ud800"])
@pytest.mark.parametrize("info", [NUMBER, TEXT, CODES])
def test_what_is_no_cell(info, cell):
    with pytest.raises(SchemaMismatch, match="row 1"):
        Schema([info]).apply(from_json(cell))


def test_moments_in_nanoseconds_are_texts_with_a_meaning():
    column = np.array(["2024-05-31T12:00", "NaT"], "M8[ns]")
    assert values(TEXT, Table(["c"], [column])) == ["2024-05-31 12:00:00", None]
    level = ColumnInfo("c", "category", levels=("2024-05-31 12:00:00",))
    assert values(level, Table(["c"], [column])) == ["2024-05-31 12:00:00", None]


def test_unknown_levels_by_rule(caplog):
    noted = []
    missing = ColumnInfo("c", "category", levels=("a",), unknown="missing")
    own = ColumnInfo("c", "category", levels=("a",), unknown="own")
    table = from_csv("a", "b", "b")

    def found(info, rule=None):
        return values(info, table, unknown_levels=rule, noted=lambda *facts: noted.append(facts))

    assert found(missing) == ["a", None, None]
    assert found(own) == ["a", "b", "b"]
    assert found(CODES, "missing") == [None, None, None]
    assert found(own, "missing") == ["a", None, None]
    assert found(missing, "warn") == ["a", None, None]
    with pytest.raises(SchemaMismatch, match="row 2"):
        found(missing, "error")
    assert noted.count(("c", "b", 2)) == 6
    assert caplog.text.count("holds 'b', which the model was not trained with") == 4


def test_columns_by_name_in_any_order(caplog):
    schema = Schema([ColumnInfo("a", "number"), ColumnInfo("b c", "text")], target="y")
    table = csv_cells.read(b",b c,y,a\n0,x,1,2\n")
    found = schema.apply(table)
    assert (found.names, found.columns[0].tolist()) == (("a", "b c"), [2.0])
    assert "ignored: '' (an index column), 'y' (the target)" in caplog.text
    schema.apply(table)
    assert caplog.text.count("ignored") == 1
    with pytest.raises(SchemaMismatch, match=r"column\(s\) 'b c' are missing: .* found 'a'"):
        schema.apply(csv_cells.read(b"a\n1\n"))


def test_names_as_libraries_spell_them():
    r = Schema([ColumnInfo("my.col", "number"), ColumnInfo("X1", "number")], rule="make.names")
    assert r.apply(csv_cells.read(b"1,my col\n5,6\n")).columns[0].tolist() == [6.0]


def test_columns_by_position():
    schema = Schema([ColumnInfo("", "text"), ColumnInfo("", "number")])
    found = schema.apply(csv_cells.read(b"x,y\n1,2\n"))
    assert (found.names, found.columns[0].tolist()) == (("x", "y"), ["1"])
    with pytest.raises(SchemaMismatch, match=r"takes 2 column\(s\) by position: found 1"):
        schema.apply(csv_cells.read(b"x\n1\n"))


def test_a_value_that_a_model_needs():
    info = ColumnInfo("c", "number", missing="error")
    with pytest.raises(SchemaMismatch, match="row 2: the value is missing"):
        Schema([info]).apply(from_csv("1", ""))


def test_an_optional_column_is_missing_in_every_row():
    schema = Schema([ColumnInfo("c", "number"), ColumnInfo("d", "category", False, ("x",))])
    found = schema.apply(from_csv("1"))
    assert found.columns[1] == Dictionary(found.columns[1].codes, ("x",), factor=True)
    assert found.columns[1].codes.tolist() == [-1]


def test_a_level_of_h2o_may_lack_the_name_of_its_column():
    """By the rule of H2O's own wrapper; an exact level goes first."""
    levels = ("sex.f", "m", "sex.m")
    info = ColumnInfo("sex", "category", levels=levels, unknown="missing", reader="h2o")
    found = Schema([info]).apply(Table(["sex"], [objects(["f", "sex.f", "m", "sex.m", "x", None])]))
    assert found.columns[0].codes.tolist() == [0, 0, 1, 2, -1, -1]


def test_times_of_h2o_are_its_milliseconds_too():
    info = ColumnInfo("t", "time", reader="h2o")
    for column in (
        objects(["1970-01-01 00:00:01", None, "1/1/70"]),
        np.array([1000.0, np.nan, 0.0]),
        objects([1000, None, 0]),
    ):
        found = Schema([info]).apply(Table(["t"], [column])).columns[0]
        assert found.astype(object)[0] == datetime.datetime(1970, 1, 1, 0, 0, 1)
        assert (np.isnat(found).tolist(), found[2].astype(int)) == ([False, True, False], 0)
    with pytest.raises(SchemaMismatch, match=r"column 't', row 1: found 1000"):
        Schema([ColumnInfo("t", "time")]).apply(Table(["t"], [np.array([1000])]))


def test_absent_columns_that_are_not_required_are_missing(caplog):
    schema = Schema([ColumnInfo("a", "number"), ColumnInfo("b", "number", required=False)])
    for _ in range(2):
        found = schema.apply(Table(["a"], [np.array([1.0])]))
    assert np.isnan(found.columns[1]).all()
    assert [r.message for r in caplog.records] == [
        "column(s) 'b', which the model reads, are absent. They count as missing values."
    ]
