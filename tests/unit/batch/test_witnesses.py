from __future__ import annotations

import csv
import io

import pandas as pd
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from polyhost.batch import csv_rows, witnesses
from polyhost.batch.chunks import CsvChunk, JsonChunk, TableChunk
from polyhost.data.column_info import ColumnInfo
from polyhost.data.target import Target, TargetType
from polyhost.predictor import GuestInfo, ModelInfo

HOSTILE = [
    *("", "1", "0", "-7", "1.5", "-0.25", "1e5", "1E-7", ".5", "5.", "007", "+3", " 4", "4 "),
    *("NA", "NaN", "nan", "N/A", "null", "None", "NULL", "#N/A", "true", "True", "FALSE", "T"),
    *("inf", "-inf", "Infinity", "2147483647", "2147483648", "9007199254740993", "abc", "Zürich"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775809"),
    *("2024-01-01", "2024-01-01 10:00:00", "0x1F", "1_000", "12:30", "a b", "1,5", '5"', "x\ny"),
]
HEADER = csv_rows.Header(b"a,b\n", ("a", "b"))


def chunk_of(rows: list[tuple[str, str]]) -> CsvChunk:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return CsvChunk(0, 1, len(rows), HEADER, text.getvalue().encode())


def frame(pieces: list[bytes]) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(b"".join(pieces)), low_memory=False)


rows = st.lists(
    st.tuples(st.sampled_from(HOSTILE), st.sampled_from(HOSTILE)), min_size=1, max_size=12
)


@settings(max_examples=60)
@given(st.lists(rows, min_size=1, max_size=4))
def test_a_chunk_with_witnesses_is_read_as_the_whole_file_is(parts):
    chunks = [chunk_of(part) for part in parts]
    found = witnesses.find(chunks)
    whole = frame([HEADER.line, *(chunk.data for chunk in chunks)])
    at = 0
    for chunk in chunks:
        alone = frame(chunk.body(found)).iloc[len(found) :].reset_index(drop=True)
        expected = whole.iloc[at : at + chunk.rows].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected, check_dtype=True)
        at += chunk.rows


def test_witnesses_of_a_large_plain_file_are_few():
    body = "".join(f'"{i}","{i / 7}"\n' for i in range(5000)).encode()
    found = witnesses.find([CsvChunk(0, 1, 5000, HEADER, body)] * 3)
    assert len(found) < 10


def test_keys_and_types_of_json_lines():
    chunk = JsonChunk(0, 1, [b'{"a":1}', b'{"a":2}', b'{"a":null}', b'{"a":1.5,"b":"x"}'], ["a"])
    assert witnesses.find([chunk]) == [b'{"a":1}', b'{"a":null}', b'{"a":1.5,"b":"x"}']


def test_missing_and_large_whole_numbers_of_columns():
    batch = pa.record_batch({"a": pa.array([1, None, 2**60, None]), "t": ["x", "y", "z", "w"]})
    found = witnesses.find([TableChunk(0, 1, batch)])
    assert found == [batch.slice(1, 1), batch.slice(2, 1)]


def info(*columns: ColumnInfo, typed: bool = True) -> ModelInfo:
    target = Target(TargetType.REGRESSION)
    return ModelInfo("python", target, (), GuestInfo(columns=columns), True, typed=typed)


def test_a_model_that_types_its_columns_needs_none():
    chunk = chunk_of([("1", "2")])
    assert not witnesses.are_needed(info(ColumnInfo("a", "number")), chunk)
    assert witnesses.are_needed(info(ColumnInfo("a", "number"), ColumnInfo("b")), chunk)
    assert witnesses.are_needed(info(typed=False), chunk)
    assert witnesses.are_needed(info(ColumnInfo("a", "number")), JsonChunk(0, 1, [b"{}"], []))
