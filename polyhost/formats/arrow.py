"""Arrow IPC streams, as tables and back. Needs pyarrow, which is imported when first used."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from polyhost.data.payload import Buffer, Column, Dictionary, Table
from polyhost.errors import InvalidInput, UnsupportedContentType
from polyhost.formats.rows import objects

MIMETYPES = ("application/x-apache-arrow-stream", "application/vnd.apache.arrow.stream")
_JSON_CELLS = b"polyhost.json"


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


def read_with_notes(body: Buffer) -> Tuple[Table, Dict[str, Any]]:
    """The table, and what :func:`write` was given as ``notes``."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise UnsupportedContentType(
            f"Arrow input needs pyarrow: {error}. Install it with: pip install pyarrow, or send "
            "CSV or JSON."
        ) from error
    try:
        with pa.ipc.open_stream(pa.py_buffer(body)) as stream:
            table = stream.read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidInput(
            f"the body is not an Arrow IPC stream: {error}. Write it with "
            "pyarrow.ipc.new_stream (the file format is another)."
        ) from error
    metadata: Mapping[bytes, bytes] = table.schema.metadata or {}
    kept = [i for i, name in enumerate(table.column_names) if name not in _index_names(metadata)]
    columns = [_column(table.column(i), table.schema.field(i)) for i in kept]
    notes = json.loads(metadata.get(b"polyhost", b"{}"))
    return Table([table.column_names[i] for i in kept], columns), notes


def _index_names(metadata: Mapping[bytes, bytes]) -> List[str]:
    pandas = json.loads(metadata.get(b"pandas", b"{}"))
    return [name for name in pandas.get("index_columns", ()) if isinstance(name, str)]


def _column(chunked: Any, field: Any) -> Column:
    import pyarrow as pa

    kind = field.type
    array = chunked.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # pyarrow before 8 keeps no single chunk when empty
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], kind)
    if (field.metadata or {}).get(_JSON_CELLS):
        return objects([None if v is None else json.loads(v) for v in array.to_pylist()])
    if pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type):
        codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return Dictionary(codes.astype(np.int32), tuple(array.dictionary.to_pylist()))
    plain_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if plain_number or pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return np.asarray(array.to_numpy(zero_copy_only=False))
    if pa.types.is_boolean(kind) and not array.null_count:
        return np.asarray(array.to_numpy(zero_copy_only=False))
    return objects(array.to_pylist())


def write(table: Table, notes: Optional[Mapping[str, Any]] = None) -> bytes:
    """An IPC stream of one batch; ``notes`` travel in the schema. Cells that are neither text,
    bytes nor numbers go as JSON text, and come back as they were."""
    import pyarrow as pa

    arrays, fields = [], []
    for name, column in table:
        array, metadata = _array(column)
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=metadata))
    schema = pa.schema(fields, metadata={b"polyhost": json.dumps(dict(notes or {})).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return bytes(sink.getvalue())


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
