"""How CSV reaches Java: as Java's own reader gives it, and by a model's columns alike.

Hooks get ``Table.readCsv``; the reader by columns must agree with it on hostile files. Each goes
through twice: as it is, and with its rows repeated until pyarrow reads it.
"""

from __future__ import annotations

import numpy as np
import pytest

from polyhost.bridges.java import levels, reading
from polyhost.data.payload import Dictionary, Payload
from polyhost.errors import InvalidInput, SchemaMismatch, UnsupportedContentType

pytestmark = pytest.mark.runtime("java")

IDENTITY = "public Table transform(Table rows, Object model) { return rows; }"
FILES = {
    "NA spellings": (b"a,b\n", b"NA,1\n,NaN\nnull,N/A\n-,nan\n#N/A,None\n"),
    "leading zeros": (b"a,b\n", b"007,1.0\n010,0x1F\n"),
    "mixed": (b"a\n", b"1\nx\n2.5\ntrue\n"),
    "quoted newlines": (b"a,b\n", b'"x\ny","he said ""hi"""\n"1,5",\n"crlf\r\nin",2\n'),
    "booleans": (b"a,b\n", b"T,true\nFALSE,0\n"),
    "dates": (b"d,e\n", b"2020-01-01,01/02/2020\n2020-01-01T00:00:00Z,1\n"),
    "empty columns": (b"a,b,c\n", b"1,,\n2,,\n"),
    "64-bit integers": (
        b"a\n",
        b"9223372036854775807\n-9223372036854775808\n18446744073709551616\n",
    ),
    "other alphabets": ("größe,名前,🙂\n".encode(), "1,é,🙂\n".encode()),
    "repeated names": (b"a,a,b\n", b"1,2,3\n"),
    "CRLF": (b"a,b\r\n", b"1,2\r\n3,4\r\n"),
    "CR": (b"a,b\r", b"1,2\r3,4\r"),
    "empty lines": (b"\n\na,b\n\n", b"1,2\n\n\n3,4\n\n"),
    "empty CRLF lines": (b"\r\n\r\na,b\r\n\r\n", b"1,2\r\n\r\n"),
    "byte order mark": (b"\xef\xbb\xbfa,b\n", b"1,2\n"),
    "blanks": (b" a , b\n", b" 1 ,  \n\t,\t2\n"),
    "newline in a name": (b'"a\nb",c\n', b"1,2\n"),
    "quoted empty cells": (b"a,b\n", b'"",""\n'),
    "one column": (b"a\n", b'1\n\n""\n \n2\n'),
    "quote within a cell": (b"a,b\n", b'x"y,2\n "x",3\n'),
    "name that is empty": (b"a,,b\n", b"1,2,3\n"),
    "NUL": (b"a,b\n", b"x\x00y,2\n"),
}
MALFORMED = {
    "too few cells": b"a,b\n1\n",
    "too many cells": b"a,b\n1,2,3\n",
    "quote that stays open": b'a,b\n"x,2\n3,4\n',
    "nothing": b"",
    "empty lines only": b"\n\n",
}


@pytest.fixture(scope="module")
def guest(opened):
    return opened(IDENTITY)


def native(guest, body):
    return guest.unwrap(guest.read(Payload(body, "text/csv")))


def by_columns(body):
    """Every column, as text."""
    return reading.read_columns(body, dict.fromkeys(reading.header(body), False))


def cells(table):
    return [(name, codes(column)) for name, column in table]


def codes(column):
    return list(column.to_objects() if isinstance(column, Dictionary) else column)


def first_of_each(columns):
    """Of columns of one name a model reads the first."""
    kept = {}
    for name, column in columns:
        kept.setdefault(name, column)
    return list(kept.items())


@pytest.mark.parametrize("repeats", [1, 3000], ids=["small", "large"])
@pytest.mark.parametrize("name", FILES)
def test_both_readers_agree(guest, name, repeats):
    header, rows = FILES[name]
    body = header + rows * repeats
    assert (len(body) > reading._SMALL) == (repeats > 1)
    assert cells(by_columns(body)) == first_of_each(cells(native(guest, body)))


def test_java_keeps_columns_of_one_name(guest):
    assert cells(native(guest, b"a,a\n1,2\n")) == [("a", ["1"]), ("a", ["2"])]


@pytest.mark.parametrize("body", [b"a,b\n", b"a,b", b"a,b\n1,2"], ids=repr)
def test_both_agree_where_little_is_there(guest, body):
    assert cells(by_columns(body)) == cells(native(guest, body))


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_refused_by_both(guest, name):
    with pytest.raises(SchemaMismatch, match="the CSV"):
        native(guest, MALFORMED[name])
    with pytest.raises(InvalidInput, match="the CSV"):
        reading.read_columns(MALFORMED[name], {"a": True, "b": True})


def test_a_malformed_large_file_is_refused():
    with pytest.raises(InvalidInput, match="Expected 2 columns, got 3"):
        reading.read_columns(b"a,b\n" + b"1,2\n" * 5000 + b"1,2,3\n", {"a": True})


@pytest.mark.parametrize("padding", [0, 5000])
def test_only_utf8(guest, padding):
    body = b"a,b\n\xff,2\n" + b"1,2\n" * padding
    for numeric in (True, False):
        with pytest.raises(InvalidInput, match=r"UTF-?8"):
            reading.read_columns(body, {"a": numeric})
    with pytest.raises(SchemaMismatch, match="the CSV is not UTF-8"):
        native(guest, body)


def test_other_types_are_refused(guest):
    with pytest.raises(UnsupportedContentType, match=r"'text/mtx'.*expected CSV"):
        guest.read(Payload(b"", "text/mtx"))


# By the model's own columns

DIRTY = b"x,skip,c,y,x\n1,z,007, 2.5 ,9\n+1.5,z,,NA,9\nabc,z,NA,inf,9\n"


@pytest.mark.parametrize("repeats", [1, 500], ids=["small", "large"])
def test_reads_what_the_model_wants_as_the_model_wants_it(repeats):
    header, rows = DIRTY.split(b"\n", 1)
    body = header + b"\n" + rows * repeats
    table = reading.read_columns(body, {"y": True, "c": False, "x": True, "absent": True})
    assert table.names == ("x", "c", "y")
    assert np.array_equal(
        levels.numbers(table.column("x")), [1.0, 1.5, np.nan] * repeats, equal_nan=True
    )
    assert np.array_equal(
        levels.numbers(table.column("y")), [2.5, np.nan, np.nan] * repeats, equal_nan=True
    )
    assert codes(table.column("c")) == ["007", "", "NA"] * repeats


def test_clean_numbers_are_numbers_at_once():
    table = reading.read_columns(b"a,b\n" + b"1,x\n,y\n" * 2000, {"a": True})
    assert table.names == ("a",)
    assert table.columns[0].dtype == np.float64
    assert np.isnan(table.columns[0][1])


def test_rows_are_counted_where_no_column_is_known():
    assert reading.read_columns(b"a,b\n1,2\n3,4\n", {"z": True}).rows == 2
    assert reading.read_columns(b"a,b\n" + b"1,2\n" * 2000, {"z": True}).rows == 2000
