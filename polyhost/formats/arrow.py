"""Arrow IPC streams, IPC files and Parquet files: read and written as tables. Needs pyarrow, which
is imported when first used."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from polyhost.data.payload import Buffer, Column, Dictionary, Table
from polyhost.errors import InvalidInput, UnsupportedContentType
from polyhost.formats import tables
from polyhost.formats.rows import check_count, objects

MIMETYPES = (
    "application/x-apache-arrow-stream",
    "application/vnd.apache.arrow.stream",
    "application/vnd.apache.arrow.file",
    "application/x-apache-arrow-file",
)
"""Types of IPC bodies; the first bytes of one say whether it is a stream or a file."""
PARQUET = "application/vnd.apache.parquet"
PARQUETS = (PARQUET, "application/x-parquet", "application/parquet")
COLUMNAR = (*MIMETYPES, *PARQUETS)
"""Types of bodies whose columns are typed already."""
_JSON_CELLS = b"polyhost.json"
_FILE_MAGIC = b"ARROW1"

Raw = Callable[[Sequence[str]], FrozenSet[str]]


def available() -> bool:
    """Whether pyarrow can be imported here."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return False
    return True


def read(body: Buffer) -> Table:
    """The table of an IPC stream; a pandas index that travels with it is left out."""
    return read_with_notes(body)[0]


def read_table(
    body: Buffer, mimetype: str, raw: Raw = lambda names: frozenset(), limit: Optional[int] = None
) -> Table:
    """A client's table, in Arrow's IPC or a Parquet file; InvalidInput when it is ill-formed.

    Columns that ``raw`` chooses among the names keep whole numbers as such where others of them
    are missing. A file of more than ``limit`` rows is not read.
    """
    found = _read_parquet(body, limit) if mimetype.lower() in PARQUETS else _read_ipc(body)
    check_count(found.num_rows, limit)
    _check(found)
    table = _table(found, raw(found.column_names))
    tables.check_names(table.names)
    if not table.rows:
        raise tables.no_rows(table.names)
    return table


def read_columns(body: Buffer, names: Sequence[str], *, texts: bool) -> Table:
    """Some columns of an IPC stream, as often as they are named; ``texts``: as CSV spells them.

    Texts keep every digit: of whole numbers beside missing ones, of decimals, of times.
    """
    found = _read_ipc(body).select(list(names))
    if not texts:
        return _table(found, frozenset(names))
    columns = [objects(_texts(column.combine_chunks())) for column in found.columns]
    return Table(names, columns)


def _texts(array: Any) -> List[Optional[str]]:
    pa = _pyarrow()
    from polyhost.formats import csv_numbers

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_floating(array.type):
        numbers = np.asarray(array.to_numpy(zero_copy_only=False))
        if numbers.dtype == np.float64:
            return [text or None for text in csv_numbers.cells(numbers)]
        return [None if value != value else str(value) for value in numbers]
    try:
        found: List[Optional[str]] = array.cast(pa.string()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        found = [None if value is None else str(value) for value in array.to_pylist()]
    return found


def read_with_notes(body: Buffer) -> Tuple[Table, Dict[str, Any]]:
    """The table, and what :func:`write` was given as ``notes``."""
    found = _read_ipc(body)
    metadata: Mapping[bytes, bytes] = found.schema.metadata or {}
    return _table(found, frozenset()), json.loads(metadata.get(b"polyhost", b"{}"))


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
    except ImportError as error:
        raise UnsupportedContentType(
            f"Arrow and Parquet input need pyarrow: {error}. Install it with: pip install "
            "pyarrow, or send CSV or JSON."
        ) from error
    return pa


def _read_ipc(body: Buffer) -> Any:
    pa = _pyarrow()
    is_file = bytes(body[: len(_FILE_MAGIC)]) == _FILE_MAGIC
    try:
        with (pa.ipc.open_file if is_file else pa.ipc.open_stream)(pa.py_buffer(body)) as found:
            return found.read_all()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        what = "file" if is_file else "stream"
        raise InvalidInput(
            f"the body is not an Arrow IPC {what}: {error}. Write it with "
            f"pyarrow.ipc.new_{what}, and send it whole."
        ) from error


def _read_parquet(body: Buffer, limit: Optional[int]) -> Any:
    pa = _pyarrow()
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(pa.BufferReader(pa.py_buffer(body)))
        check_count(file.metadata.num_rows, limit)
        return file.read(use_threads=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise InvalidInput(f"the body is not a Parquet file: {error}.") from error


def _check(table: Any) -> None:
    """InvalidInput when the bytes of a column are not what its type promises."""
    pa = _pyarrow()
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise InvalidInput(f"the Arrow data are damaged: {error}.") from error
    for name, column in zip(table.column_names, table.columns):
        _check_texts(pa, name, column)


def _check_texts(pa: Any, name: str, column: Any) -> None:
    """InvalidInput for a NUL character; Arrow has checked that texts are UTF-8."""
    from pyarrow import compute

    row = 0
    for chunk in column.chunks:
        texts = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
        if _is_text(pa, texts.type):
            found = compute.match_substring(texts.cast(pa.large_string()), "\0")
            if compute.any(found).as_py():
                tables.check_texts(name, [None] * row + chunk.to_pylist())
        row += len(chunk)


def _is_text(pa: Any, kind: Any) -> bool:
    is_view = getattr(pa.types, "is_string_view", lambda kind: False)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or is_view(kind))


def _table(found: Any, raw: FrozenSet[str]) -> Table:
    metadata: Mapping[bytes, bytes] = found.schema.metadata or {}
    index = set(_index_names(metadata))
    kept = [i for i, name in enumerate(found.column_names) if name not in index]
    names = [found.column_names[i] for i in kept]
    columns = [
        _column(found.column(i), found.schema.field(i), name in raw) for i, name in zip(kept, names)
    ]
    table = Table(names, columns)
    table.rows = found.num_rows
    return table


def _index_names(metadata: Mapping[bytes, bytes]) -> List[str]:
    pandas = json.loads(metadata.get(b"pandas", b"{}"))
    return [name for name in pandas.get("index_columns", ()) if isinstance(name, str)]


def _column(chunked: Any, field: Any, raw: bool = False) -> Column:
    pa = _pyarrow()
    array = chunked.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # pyarrow before 8 keeps no single chunk when empty
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], chunked.type)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if (field.metadata or {}).get(_JSON_CELLS):
        return objects([None if v is None else json.loads(v) for v in array.to_pylist()])
    return _cells(pa, array, raw)


def _cells(pa: Any, array: Any, raw: bool) -> Column:
    kind, types = array.type, pa.types
    if types.is_dictionary(kind):
        if not _is_text(pa, kind.value_type) or array.dictionary.null_count:
            return _cells(pa, array.dictionary_decode(), raw)
        codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return Dictionary(codes.astype(np.int32), tuple(array.dictionary.to_pylist()))
    if types.is_integer(kind) and array.null_count and (raw or _is_wide(array)):
        return objects(array.to_pylist())
    if types.is_decimal(kind) and not raw:
        return _cells(pa, array.cast(pa.float64()), raw)
    plain_number = types.is_integer(kind) or types.is_floating(kind)
    if plain_number or types.is_timestamp(kind) or types.is_date(kind):
        return np.asarray(array.to_numpy(zero_copy_only=False))
    if types.is_boolean(kind) and not array.null_count:
        return np.asarray(array.to_numpy(zero_copy_only=False))
    return objects(array.to_pylist())


def _is_wide(array: Any) -> bool:
    """Whether whole numbers are too large for a double to keep them."""
    from pyarrow import compute

    found = compute.min_max(array).as_py()
    return found["max"] is not None and max(-found["min"], found["max"]) > 2**53


def write(
    table: Table, notes: Optional[Mapping[str, Any]] = None, *, as_file: bool = False
) -> bytes:
    """An IPC stream of one batch, or the file format; ``notes`` travel in the schema. Cells that
    are neither text, bytes nor numbers go as JSON text, and come back as they were."""
    import pyarrow as pa

    found = _arrow_table(table, {b"polyhost": json.dumps(dict(notes or {})).encode()})
    sink = pa.BufferOutputStream()
    with (pa.ipc.new_file if as_file else pa.ipc.new_stream)(sink, found.schema) as writer:
        writer.write_table(found)
    return bytes(sink.getvalue())


def write_nulls(names: Sequence[str], rows: int) -> bytes:
    """An IPC stream of columns that hold nothing, and have no type either."""
    import pyarrow as pa

    batch = pa.RecordBatch.from_arrays([pa.nulls(rows) for _ in names], names=list(names))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def write_parquet(table: Table) -> bytes:
    """A Parquet file of the same columns."""
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(_arrow_table(table), sink)
    return bytes(sink.getvalue())


def _arrow_table(table: Table, metadata: Optional[Mapping[bytes, bytes]] = None) -> Any:
    import pyarrow as pa

    arrays, fields = [], []
    for name, column in table:
        array, notes = _array(column)
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=notes))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=metadata))


def _array(column: Column) -> Tuple[Any, Optional[Dict[bytes, bytes]]]:
    import pyarrow as pa

    if isinstance(column, Dictionary):
        codes = pa.array(column.codes, mask=column.codes < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(column.values, pa.string())), None
    if column.dtype.kind != "O":
        return pa.array(np.ascontiguousarray(column)), None
    values = [None if _is_nan(value) else value for value in column.tolist()]
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {str}:
        return pa.array(values, pa.string()), None
    if kinds <= {bytes}:
        return pa.array(values, pa.binary()), None
    from polyhost.formats.json import dumps

    cells = [None if value is None else dumps(value).decode() for value in values]
    return pa.array(cells, pa.string()), {_JSON_CELLS: b"1"}


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and value != value
