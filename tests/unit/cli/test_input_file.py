"""Files that are packed, in another encoding or with other separators, read as one table."""

from __future__ import annotations

import csv
import gzip
import io

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.cli import input_file
from polyhost.errors import InvalidInput, SettingsError

ROWS = b"a,b\n1,x\n2,y\n"


def zstd(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(data)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd])
def test_a_packed_file(tmp_path, pack):
    path = tmp_path / "rows.csv"
    path.write_bytes(pack(ROWS))
    assert input_file.read(path) == ROWS


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_packed_file_that_is_cut_off(tmp_path, pack):
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(pack(ROWS * 100)[:-12])
    with pytest.raises(InvalidInput, match=r"rows\.csv\.gz cannot be unpacked"):
        input_file.read(path)


@pytest.mark.parametrize(
    ("name", "ending"), [("a.csv", ".csv"), ("a.arrow.gz", ".arrow"), ("a.mtx.zst", ".mtx")]
)
def test_the_ending_names_the_format(tmp_path, name, ending):
    assert input_file.ending(tmp_path / name) == ending


def test_another_encoding(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes("Straße,b\nä,1\n".encode("utf-16"))
    assert input_file.read(path, charset="utf-16") == "Straße,b\nä,1\n".encode()
    with pytest.raises(InvalidInput, match=r"is not in ascii: found b'\\xff"):
        input_file.read(path, charset="ascii")
    with pytest.raises(SettingsError, match="'klingon' is not known"):
        input_file.read(path, charset="klingon")


CELLS = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), st.sampled_from(";\t|"))
def test_other_separators(tmp_path_factory, rows, delimiter):
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    read = input_file.read(path, delimiter).decode()
    assert list(csv.reader(io.StringIO(read, newline=""))) == [list(row) for row in rows]
