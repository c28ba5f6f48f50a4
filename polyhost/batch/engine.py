"""Record batches through a model's workers: what the command, Ray and Spark all rest on.

A model that was loaded with ``polyhost.load(path, workers=N)`` takes them one by one
(:func:`predict_batch`, what an actor or an executor calls) or as a stream over all of its workers
(:func:`predict_batches`). Order is kept, and no more is read ahead than the workers can use.

    model = polyhost.load("model", workers=4)
    for answers in model.predict_batches(pyarrow.parquet.ParquetFile("in.parquet").iter_batches()):
        ...
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import (
    Any,
    Callable,
    Deque,
    Dict,
    Iterable,
    Iterator,
    Protocol,
    Sequence,
    Tuple,
    TypeVar,
)

from polyhost.codecs import Request
from polyhost.codecs.batch import ARROW, Options
from polyhost.errors import InvalidOutput, SettingsError
from polyhost.formats.arrow import MIMETYPES

A = TypeVar("A")
B = TypeVar("B")

AHEAD = 2
"""Chunks that one worker holds: the one that it predicts, and the next."""

STREAM = MIMETYPES[0]
Reply = Tuple[Dict[str, Any], bytes]
"""An answer's meta and its body."""


class Workers(Protocol):
    """A model behind workers."""

    workers: int

    def submit(
        self, request: Request, pieces: Sequence[bytes], retry: bool = True
    ) -> Future[Reply]:
        """Have a body, given in pieces, answered by whichever worker is free. ``retry``: once more
        where a worker dies of it."""
        ...


def in_order(
    items: Iterable[A], submit: Callable[[A], Future[B]], ahead: int
) -> Iterator[Tuple[A, Future[B]]]:
    """Each item with its finished answer, in order; ``ahead`` are under way at once.

    The next item is read when an answer has been taken. When the caller stops, or an item cannot
    be read, what is under way is cancelled.
    """
    waiting: Deque[Tuple[A, Future[B]]] = deque()
    try:
        for item in items:
            waiting.append((item, submit(item)))
            if len(waiting) >= ahead:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for _, answer in waiting:
            answer.cancel()


def predict_batch(model: Workers, batch: Any, passthrough: Sequence[str] = ()) -> Any:
    """A record batch with the answers to the rows of ``batch``, one each, in order.

    ``passthrough`` names columns of ``batch`` that stand after the answers, as they came.
    """
    return _finished(batch, _submit(model, batch).result(), passthrough)


def predict_batches(
    model: Workers, batches: Iterable[Any], passthrough: Sequence[str] = ()
) -> Iterator[Any]:
    """The same for a stream of record batches, through all workers of the model."""
    ahead = AHEAD * model.workers
    for batch, answer in in_order(batches, lambda found: _submit(model, found), ahead):
        yield _finished(batch, answer.result(), passthrough)


def _submit(model: Workers, batch: Any) -> Future[Reply]:
    import pyarrow as pa

    if not isinstance(batch, pa.RecordBatch):
        raise SettingsError(
            f"cannot predict a {type(batch).__name__}: expected a pyarrow.RecordBatch. "
            "pyarrow.Table.to_batches() gives them."
        )
    if not batch.num_rows:
        raise SettingsError("a record batch has no rows: leave it out.")
    request = Request("predict", "batch", STREAM, ARROW, options=Options().to_wire())
    return model.submit(request, [to_stream(batch)])


def to_stream(batch: Any) -> bytes:
    """A record batch as an Arrow IPC stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _finished(batch: Any, reply: Reply, passthrough: Sequence[str]) -> Any:
    answers = from_stream(reply[1])
    return beside(answers, batch, (), passthrough) if passthrough else answers


def from_stream(body: bytes) -> Any:
    """The one record batch of an answer; texts that came as a dictionary are plain texts."""
    import pyarrow as pa

    with pa.ipc.open_stream(body) as stream:
        return plain_batch(stream.read_all())


def plain_batch(table: Any) -> Any:
    """A table as one record batch, without notes and dictionaries."""
    import pyarrow as pa

    columns, fields = [], []
    for field, column in zip(table.schema, table.columns):
        array = column.combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = array.chunk(0) if array.num_chunks else pa.array([], array.type)
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        columns.append(array)
        fields.append(pa.field(field.name, array.type))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def beside(answers: Any, batch: Any, before: Sequence[str], after: Sequence[str]) -> Any:
    """Answers between columns of the batch that they answer."""
    import pyarrow as pa

    given = [*before, *after]
    repeated = [name for name in given if name in answers.schema.names]
    absent = [name for name in given if name not in batch.schema.names]
    if repeated or absent:
        raise InvalidOutput(
            f"columns {repeated or absent} cannot stand beside the answers: "
            + ("the answers have columns of those names." if repeated else "the input lacks them.")
        )
    places = [batch.schema.get_field_index(name) for name in given]
    own = [batch.schema.field(place) for place in places]
    columns = [batch.column(place) for place in places]
    count = len(before)
    return pa.RecordBatch.from_arrays(
        [*columns[:count], *answers.columns, *columns[count:]],
        schema=pa.schema([*own[:count], *answers.schema, *own[count:]]),
    )
