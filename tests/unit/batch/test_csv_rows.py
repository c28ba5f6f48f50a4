from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.batch import csv_rows
from polyhost.errors import InvalidInput

cells = st.text(st.sampled_from(list('ab1é,;"\n\r ')), max_size=6)


def reader_of(data: bytes, step: int = 1 << 20) -> csv_rows.Read:
    stream = io.BytesIO(data)

    def read(size: int) -> bytes:
        parts = []
        while size > 0 and (part := stream.read(min(step, size))):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    return read


def pieces_of(data: bytes, size: int, rows: int | None, delimiter: str = ","):
    read = reader_of(data)
    header, rest = csv_rows.read_header(read, delimiter, size)
    return header, list(csv_rows.cut(read, header, rest, size, rows))


def parsed(data: bytes, width: int) -> list[list[str]]:
    """By the standard library, as one text."""
    lines = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
    return [line or [""] for line in lines if line or width == 1]


@given(
    st.integers(1, 3).flatmap(
        lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1)
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(5, 60),
    st.one_of(st.none(), st.integers(1, 4)),
    st.booleans(),
)
def test_pieces_hold_the_rows_that_the_standard_library_reads(
    table, newline, quoting, size, rows, ends
):
    names = [f"c{i}" for i in range(len(table[0]))]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=newline, quoting=quoting)
    writer.writerows([names, *table])
    data = text.getvalue().encode()
    if not ends:
        data = data[: -len(newline)]
    expected = parsed(data, len(names))[1:]
    header, pieces = pieces_of(data, size, rows)
    assert header.names == tuple(names)
    found = [row for piece in pieces for row in parsed(piece.data, len(names))]
    assert found == expected
    assert sum(piece.rows for piece in pieces) == len(expected)
    assert all(len(parsed(piece.data, len(names))) == piece.rows for piece in pieces)
    if rows is not None:
        assert {piece.rows for piece in pieces[:-1]} <= {rows}


def test_a_quote_inside_a_field_does_not_shift_the_rows():
    data = b'a,b\n1,5" pipe\n2,x\n3,"y\nz"\n4,6" pipe\n'
    _, pieces = pieces_of(data, 8, 1)
    assert [piece.data for piece in pieces] == [
        b'1,5" pipe\n',
        b"2,x\n",
        b'3,"y\nz"\n',
        b'4,6" pipe\n',
    ]


def test_pieces_do_not_depend_on_how_the_stream_is_read():
    data = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(1000))
    read = reader_of(data, 7)
    header, rest = csv_rows.read_header(read, ",", 100)
    found = list(csv_rows.cut(read, header, rest, 100, None))
    assert found == pieces_of(data, 100, None)[1]
    assert len(found) > 50


def test_blank_lines_and_a_bom_are_no_rows():
    header, pieces = pieces_of(b"\xef\xbb\xbf\r\na,b\r\n\r\n1,2\r\n\r\n3,4\r\n", 1 << 20, None)
    assert header.names == ("a", "b")
    assert [piece.rows for piece in pieces] == [2]


def test_a_quote_that_is_never_closed_names_its_row(monkeypatch):
    monkeypatch.setattr(csv_rows, "LONGEST_ROW", 1000)
    data = b'a,b\n1,2\n3,"' + b"x\n" * 1000
    with pytest.raises(InvalidInput, match="row 2 has no end"):
        pieces_of(data, 100, None)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xff\xfe\x00a\n", b"a,a\n1,2\n"])
def test_what_has_no_header_is_refused(data):
    with pytest.raises(InvalidInput):
        pieces_of(data, 100, None)
