"""A model over whole DataFrames, with ``mapInArrow``: every column that it answers with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from polyhost.errors import InvalidInput, InvalidOutput
from polyhost.spark.model import SparkModel, loaded, session, ship
from polyhost.spark.result_types import parse


def score_frame(
    frame: Any,
    model: Any,
    *,
    passthrough: Sequence[str] = (),
    schema: Any = None,
    in_place: bool = False,
    **settings: Any,
) -> Any:
    """A DataFrame with the answers to the rows of ``frame``; ``passthrough`` columns stand after.

    ``schema``: names and types of the answers' columns, as Spark writes them. Without it the first
    row is predicted in this process to learn them, which needs the model's runtime here. The other
    parameters are those of :func:`polyhost.spark.predict_udf`.
    """
    shipped = ship(session(frame.sparkSession), model, settings, in_place)
    answers = _first_answer(frame, shipped) if schema is None else parse(schema)
    fields = [frame.schema[name] for name in passthrough]
    return frame.mapInArrow(_function(shipped, answers, passthrough), _joined(answers, fields))


def map_in_arrow(
    model: Any,
    schema: Any,
    *,
    spark: Any = None,
    passthrough: Sequence[str] = (),
    in_place: bool = False,
    **settings: Any,
) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """A function for ``DataFrame.mapInArrow``: record batches of rows in, of answers out.

    ``schema``: names and types of the answers' columns. Those of ``passthrough`` stand after them;
    the schema that ``mapInArrow`` is given names those too.
    """
    shipped = ship(session(spark), model, settings, in_place)
    return _function(shipped, parse(schema), passthrough)


def _function(
    shipped: SparkModel, answers: Any, passthrough: Sequence[str]
) -> Callable[[Iterable[Any]], Iterator[Any]]:
    def predict(batches: Iterable[Any]) -> Iterator[Any]:
        with loaded(shipped) as model:
            rows = (batch for batch in batches if batch.num_rows)
            for found in model.predict_batches(rows, passthrough=passthrough):
                yield _as_promised(found, answers, passthrough)

    return predict


def _joined(answers: Any, fields: Sequence[Any]) -> Any:
    from pyspark.sql.types import StructType

    return StructType([*answers, *fields])


def _first_answer(frame: Any, shipped: SparkModel) -> Any:
    """The schema of the answers, from that to the first row."""
    from pyspark.sql.pandas.types import from_arrow_type
    from pyspark.sql.types import StructField, StructType

    first = _first_row(frame)
    with loaded(shipped) as model:
        found = model.predict_batch(first).schema
    return StructType(
        [StructField(name, from_arrow_type(found.field(name).type)) for name in found.names]
    )


def _first_row(frame: Any) -> Any:
    """The first row as a record batch; InvalidInput when there is none."""
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_schema

    rows = [row.asDict(recursive=True) for row in frame.take(1)]
    if not rows:
        raise InvalidInput(
            "the DataFrame has no rows to learn the answers' columns from: give schema=."
        )
    return pa.RecordBatch.from_pylist(rows, schema=to_arrow_schema(frame.schema))


def _as_promised(found: Any, answers: Any, passthrough: Sequence[str]) -> Any:
    """The batch with its first columns in the types that the schema promised."""
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_type

    names = answers.fieldNames()
    missing = [name for name in names if name not in found.schema.names]
    if missing:
        raise InvalidOutput(
            f"the answers have no column {missing[0]!r}, which schema names: found "
            f"{', '.join(map(repr, found.schema.names))}.",
            expected=names,
            found=found.schema.names,
        )
    columns = {name: found.column(i) for i, name in enumerate(found.schema.names)}
    for field in answers:
        columns[field.name] = columns[field.name].cast(to_arrow_type(field.dataType), safe=False)
    kept = [*names, *passthrough]
    return pa.RecordBatch.from_arrays([columns[name] for name in kept], names=kept)
