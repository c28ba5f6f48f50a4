"""How CSV reaches hooks in Java: ``Table.readCsv`` against Python's own reader on hostile files."""

from __future__ import annotations

import csv
import io

import pytest

from polyhost.data.payload import Dictionary, Payload
from polyhost.errors import SchemaMismatch, UnsupportedContentType

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


def plain(body):
    """Names and columns of a CSV as the standard library reads it; empty lines are no rows."""
    text = body.decode("utf-8-sig")
    names, *rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    return [(name, [row[i] for row in rows]) for i, name in enumerate(names)]


def cells(table):
    return [
        (name, list(column.to_objects() if isinstance(column, Dictionary) else column))
        for name, column in table
    ]


@pytest.mark.parametrize("repeats", [1, 3000], ids=["small", "large"])
@pytest.mark.parametrize("name", FILES)
def test_it_reads_as_pythons_own_reader(guest, name, repeats):
    header, rows = FILES[name]
    body = header + rows * repeats
    assert cells(native(guest, body)) == plain(body)


@pytest.mark.parametrize("body", [b"a,b\n", b"a,b", b"a,b\n1,2"], ids=repr)
def test_little_is_there(guest, body):
    assert cells(native(guest, body)) == plain(body)


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_refused(guest, name):
    with pytest.raises(SchemaMismatch, match="the CSV"):
        native(guest, MALFORMED[name])


@pytest.mark.parametrize("padding", [0, 5000])
def test_only_utf8(guest, padding):
    body = b"a,b\n\xff,2\n" + b"1,2\n" * padding
    with pytest.raises(SchemaMismatch, match="the CSV is not UTF-8"):
        native(guest, body)


def test_other_types_are_refused(guest):
    with pytest.raises(UnsupportedContentType, match=r"'text/mtx'.*expected CSV"):
        guest.read(Payload(b"", "text/mtx"))
