"""Readers agree with pandas.read_csv, writers with DataFrame.to_csv."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.data.payload import Dictionary, Table
from polyhost.errors import InvalidInput
from polyhost.formats import csv

HOSTILE = {
    "missing spellings": "a,b\nNA,x\nn/a,\nnull,y\n#N/A N/A,-nan\n1,z\n",
    "leading zeros": "code,n\n007,1\n010,2\n",
    "mixed": "a\n1\nx\n2.5\n",
    "quoted newlines": 'a,b\n"line one\nline two",1\n"say ""hi""",2\n',
    "booleans": "a,b,c\nTrue,TRUE,true\nFalse,false,FALSE\n",
    "booleans with a gap": "a,b\nTrue,1\n,2\n",
    "dates stay text": "d,n\n2024-01-01,1\n2024-01-02,2\n",
    "empty column": "a,,c\n1,,3\n4,,6\n",
    "64 bits": "a,b\n9223372036854775807,1\n-9223372036854775808,2\n",
    "past 63 bits": "a,b\n9223372036854775808,1\n1,2\n",
    "underscores": "a,b\n1_000,1\n2_000,2\n",
    "spaces": "a,b\n 1,x \n2 , y\n",
    "other names": "größe,名前,a b\n1,x,2\n",
    "repeated names": "a,a,b,a\n1,2,3,4\n",
    "windows lines": "a,b\r\n1,2\r\n3,x\r\n",
    "blank lines": "a,b\n1,2\n\n3,4\n",
    "one column with blank lines": "a\n1\n\n3\n",
    "short rows": "a,b,c\n1,2\n3,4,5\n",
    "header only": "a,b\n",
    "byte order mark": "\ufeffa,b\n1,2\n",
    "floats": "a,b\n1e3,.5\n-2.,1E-4\n",
    "infinities": "a,b\ninf,1\n-inf,2\n",
    "no last line end": "a,b\n1,2",
}


def plain(text: str) -> pd.DataFrame:
    frame = pd.read_csv(io.StringIO(text))
    if frame.shape[1] == 1:
        frame = pd.read_csv(io.StringIO(text), skip_blank_lines=False)
    return frame.rename(columns=lambda name: name.lstrip("\ufeff"))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_frames_are_those_of_pandas(text):
    for body in (text.encode(), memoryview(text.encode())):
        pd.testing.assert_frame_equal(csv.read_frame(body), plain(text))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_without_pandas_the_cells_are_the_same(text):
    found = csv.read_table(text.encode())
    expected = Table.from_pandas(plain(text))
    assert found.names == expected.names
    for name, column in found:
        wanted = expected.column(name)
        if not pd.isna(wanted).all():
            assert column.dtype.kind == wanted.dtype.kind, name
        assert [None if pd.isna(cell) else cell for cell in column] == [
            None if pd.isna(cell) else cell for cell in wanted
        ]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_fast_reader_agrees_or_declines(text):
    found = csv.read_numbers(text.encode())
    if found is not None:
        pd.testing.assert_frame_equal(found.to_pandas(), plain(text), check_dtype=False)


number = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.floats(-1e7, 1e7).map(repr),
    st.decimals(-9999999, 9999999, places=7).map(str),
    st.sampled_from(["", "NA", "007", "-0", "1e5", " 1", "+1", "x"]),
)


@given(st.lists(st.lists(number, min_size=3, max_size=3), min_size=1, max_size=5))
def test_numbers_are_the_same_to_the_last_bit(rows):
    text = "a,b,c\n" + "".join(",".join(row) + "\n" for row in rows)
    found = csv.read_numbers(text.encode())
    if found is not None:
        assert np.array_equal(found.matrix, plain(text).to_numpy(dtype=float))


def test_plain_numbers_do_take_the_fast_reader():
    found = csv.read_numbers(b"a,b\n1,-2.5\n")
    assert (found.names, found.matrix.tolist()) == (("a", "b"), [[1.0, -2.5]])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"a,b\n1,2,3\n1,2,3,4\n", "not readable as CSV"),
        (b'a,b\n"1,2\n', "not readable as CSV"),
        (b"", "No columns to parse"),
        (b"a\n\xff\xfe\n", "encoding must be UTF-8"),
    ],
)
def test_malformed_bodies_are_the_callers_mistake(body, says):
    with pytest.raises(InvalidInput, match=says):
        csv.read_frame(body)
    with pytest.raises(InvalidInput, match=says):
        csv.read_table(body)


TABLE = Table(
    ["n", "x", "flag", "text", "code"],
    [
        np.array([1, 2, 3]),
        np.array([0.1, np.nan, 1e300]),
        np.array([True, False, True]),
        np.array(['say "hi"', None, "a,b\nc"], object),
        Dictionary(np.array([1, -1, 0], np.int32), ("u", "ü")),
    ],
)


def test_written_as_pandas_writes():
    assert csv.write_table(TABLE) == TABLE.to_pandas().to_csv(index=False).encode()
    assert csv.write_table(TABLE, newline="\r\n").count(b"\r\n") == 4


def test_dates_are_written_by_pandas():
    dates = np.array(["2024-01-01", "NaT"], "datetime64[ns]")
    assert csv.write_table(Table(["d"], [dates])) == b'd\n2024-01-01\n""\n'


def test_single_precision_keeps_its_own_digits():
    found = csv.write_table(Table(["x"], [np.array([0.1], np.float32)]))
    assert found == b"x\n0.1\n"
