from __future__ import annotations

import builtins

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from polyhost.data.payload import Dictionary, Table
from polyhost.errors import InvalidInput, UnsupportedContentType
from polyhost.formats import arrow


def cells(column) -> list:
    return (column.to_objects() if isinstance(column, Dictionary) else column).tolist()


def test_a_table_comes_back_as_it_was():
    table = Table(
        ["i", "x", "flag", "text", "code", "any", "when", "bytes", "x"],
        [
            np.array([1, 2]),
            np.array([0.1, np.nan]),
            np.array([True, False]),
            np.array(["a", None], object),
            Dictionary(np.array([-1, 0], np.int32), ("u",)),
            np.array([{"k": [1]}, None], object),
            np.array(["2024-01-01", "NaT"], "datetime64[ns]"),
            np.array([b"\xff", None], object),
            np.array([1, 2], np.float32),
        ],
    )
    found, notes = arrow.read_with_notes(arrow.write(table, {"n": 1}))
    assert (found.names, notes) == (table.names, {"n": 1})
    for ours, theirs in zip(found.columns, table.columns, strict=True):
        assert type(ours) is type(theirs)
        np.testing.assert_equal(cells(ours), cells(theirs))
        if not isinstance(ours, Dictionary):
            assert ours.dtype == theirs.dtype


def test_a_stream_from_pandas_without_its_index():
    frame = pd.DataFrame({"a": [1, 2], "s": ["x", None]}, index=[5, 7])
    body = bytes(pa.ipc.serialize_pandas(frame))
    table = arrow.read(memoryview(body))
    assert table.names == ("a", "s")
    assert [cells(column) for column in table.columns] == [[1, 2], ["x", None]]


def test_several_batches_and_whole_numbers_with_gaps():
    schema = pa.schema([("a", pa.int64()), ("b", pa.bool_())])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch([[1, None], [True, None]], schema=schema))
        writer.write_batch(pa.record_batch([[3], [False]], schema=schema))
    a, b = arrow.read(sink.getvalue()).columns
    np.testing.assert_equal(a.tolist(), [1.0, np.nan, 3.0])
    assert b.tolist() == [True, None, False]


@pytest.mark.parametrize("body", [b"", b"a,b\n1,2\n", b"ARROW1\0\0"])
def test_malformed_bodies_are_the_callers_mistake(body):
    with pytest.raises(InvalidInput, match=r"not an Arrow IPC (stream|file)"):
        arrow.read(body)


def test_without_pyarrow_the_caller_is_told_what_to_send(monkeypatch):
    real = builtins.__import__

    def no_pyarrow(name, *args, **kwargs):
        if name == "pyarrow":
            raise ImportError("no pyarrow")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_pyarrow)
    assert not arrow.available()
    with pytest.raises(UnsupportedContentType, match="pip install pyarrow"):
        arrow.read(b"")
