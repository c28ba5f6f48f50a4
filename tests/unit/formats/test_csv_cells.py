"""Cells of a CSV file as they stand, and tables that are refused alike for all languages."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.data.payload import Dictionary
from polyhost.errors import InvalidInput
from polyhost.formats import csv_cells

MANY = 4000
"""So many rows are more than the standard library is asked to read."""


def texts(body, numbers=frozenset()):
    table = csv_cells.read(body, numbers)
    return {
        name: column.to_objects().tolist() if isinstance(column, Dictionary) else column.tolist()
        for name, column in table
    }


@pytest.mark.parametrize("times", [1, MANY])
def test_cells_stay_as_they_stand(times):
    body = b'a,b,c\n007, NA,"x,""y"""\n' + b'1.0,true,"two\nlines"\n,,\n' * times
    expected = {
        "a": ["007", *["1.0", ""] * times],
        "b": [" NA", *["true", ""] * times],
        "c": ['x,"y"', *["two\nlines", ""] * times],
    }
    assert texts(body) == expected


@pytest.mark.parametrize("times", [1, MANY])
def test_number_columns_may_come_as_numbers(times):
    found = csv_cells.read(b"a,b\n" + b"1,x\n" * times + b",y\n", frozenset("a"))
    column = found.columns[0]
    if isinstance(column, Dictionary):
        assert column.to_objects().tolist() == ["1"] * times + [""]
    else:
        np.testing.assert_array_equal(column, [*[1.0] * times, np.nan])


@pytest.mark.parametrize("times", [1, MANY])
@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (b"1,2,3\n", "has 3 fields: expected 2"),
        (b"1\n", "has 1 fields: expected 2"),
        (b"1,2,\n", "has 3 fields: expected 2"),
        (b'"1,2\n', "not readable as CSV"),
        (b"\xff,2\n", "encoding must be UTF-8"),
        (b"\0,2\n", "NUL byte"),
    ],
)
def test_a_bad_row_is_named(rows, says, times):
    body = b"a,b\n" + b"1,2\n" * (times - 1) + rows
    for read in (csv_cells.read, csv_cells.check):
        with pytest.raises(InvalidInput, match=says) as caught:
            read(body)
        if "fields" in says:
            assert caught.value.facts["row"] == times


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b", "has no rows"),
        (b"a,b\n", "has no rows"),
        (b"a,a\n1,2\n", "'a' stands twice in the header, at 1 and 2"),
        (b"a;b\n", "separate the columns by commas"),
    ],
)
def test_what_is_no_table(body, says):
    for read in (csv_cells.read, csv_cells.check):
        with pytest.raises(InvalidInput, match=says):
            read(body)


CELLS = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=30), st.booleans())
def test_what_a_writer_wrote_is_read(rows, many):
    rows = rows * (2000 if many else 1)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["a", "b"])
    writer.writerows(rows)
    found = texts(out.getvalue().encode())
    assert found == {"a": [row[0] for row in rows], "b": [row[1] for row in rows]}
