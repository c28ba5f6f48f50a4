"""``predict_udf``: a model as a function of columns, by the rules of MLflow's ``spark_udf``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from polyhost.errors import InvalidInput, SettingsError
from polyhost.spark.model import SparkModel, loaded, session, ship
from polyhost.spark.result_types import column_of, default_of, parse

ARROW_SINCE = (4, 1)
"""The release of Spark whose UDFs take Arrow arrays; those before it get pandas Series."""


def predict_udf(
    model: Any,
    result_type: Any = None,
    *,
    spark: Any = None,
    columns: Sequence[str] = (),
    in_place: bool = False,
    **settings: Any,
) -> Callable[..., Any]:
    """A function of columns that predicts with the model in each executor.

    ``model``: a folder, an archive or an address. ``result_type``: a Spark type or its text, by
    MLflow's rules (:mod:`polyhost.spark.result_types`); without it what an MLflow signature gives
    its outputs, else ``double``. Call it with ``struct(...)``, whose fields name the columns; with
    several columns, which are the model's own in its order (``columns`` names them where the model
    does not); or with none for all of them. ``in_place``: every machine has the folder at this path,
    so that Spark need not carry it. ``settings`` are those of :func:`polyhost.load`.
    """
    found = session(spark)
    kind = (
        None if result_type is None else parse(result_type)
    )  # wrong ones fail before a model is read
    shipped = ship(found, model, settings, in_place)
    kind = parse(default_of(shipped.place)) if kind is None else kind
    given = tuple(columns)
    udf = _make(shipped, kind, given)

    @functools.wraps(udf)
    def predict(*arguments: Any) -> Any:
        return udf(*(arguments or given or _own_columns(shipped)))

    return predict


def _own_columns(shipped: SparkModel) -> tuple[str, ...]:
    """The columns that the model names; loads it in this process."""
    with loaded(shipped) as model:
        names = tuple(column.name for column in model.info.guest.columns)
    if not names or not all(names):
        raise SettingsError(
            "the model does not say which columns it takes: call the UDF with struct(...), or give "
            "columns=."
        )
    return names


def _make(shipped: SparkModel, kind: Any, columns: Sequence[str]) -> Any:
    import pyspark

    release = tuple(int(part) for part in pyspark.__version__.split(".")[:2])
    return (arrow_udf if release >= ARROW_SINCE else pandas_udf)(shipped, kind, columns)


def arrow_udf(shipped: SparkModel, kind: Any, columns: Sequence[str]) -> Any:
    """The UDF over Arrow arrays: whole numbers with gaps stay whole numbers."""
    import pyarrow as pa
    from pyspark.sql import functions

    def predict(batches: Any) -> Any:
        with loaded(shipped) as model:
            for batch in batches:
                arrays = batch if isinstance(batch, tuple) else (batch,)
                yield _answer(model, _rows(arrays, _names(model, columns, arrays)), kind)

    predict.__annotations__ = {
        "batches": Iterator[tuple[pa.Array, ...]],
        "return": Iterator[pa.Array],
    }
    return functions.arrow_udf(predict, returnType=kind)


def pandas_udf(shipped: SparkModel, kind: Any, columns: Sequence[str]) -> Any:
    """The UDF over pandas Series and DataFrames."""
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import functions, types

    is_struct = isinstance(kind, types.StructType)
    returned: Any = pd.DataFrame if is_struct else pd.Series

    def predict(batches: Any) -> Any:
        with loaded(shipped) as model:
            for batch in batches:
                given = batch if isinstance(batch, tuple) else (batch,)
                arrays = tuple(_from_pandas(one) for one in given)
                answers = _answer(model, _rows(arrays, _names(model, columns, arrays)), kind)
                if is_struct:
                    yield pa.RecordBatch.from_struct_array(answers).to_pandas()
                else:
                    yield answers.to_pandas()

    predict.__annotations__ = {
        "batches": Iterator[tuple[pd.Series, ...]],
        "return": Iterator[returned],
    }
    return functions.pandas_udf(predict, returnType=kind)


def _from_pandas(given: Any) -> Any:
    import pyarrow as pa

    if hasattr(given, "columns"):
        batch = pa.RecordBatch.from_pandas(given, preserve_index=False)
        return pa.StructArray.from_arrays(batch.columns, fields=list(batch.schema))
    return pa.Array.from_pandas(given)


def _names(model: Any, columns: Sequence[str], arrays: Sequence[Any]) -> tuple[str, ...]:
    """What the arguments are called; empty for one struct, which names its own fields."""
    import pyarrow as pa

    if len(arrays) == 1 and pa.types.is_struct(arrays[0].type):
        return ()
    known = model.info.guest.columns
    if columns:
        names, needed = tuple(columns), len(columns)
    elif known and all(column.name for column in known):
        names = tuple(column.name for column in known)
        needed = max((i + 1 for i, column in enumerate(known) if column.required), default=0)
    else:
        return tuple(str(i) for i in range(len(arrays)))
    if needed <= len(arrays) <= len(names):
        return names[: len(arrays)]
    raise InvalidInput(
        f"the UDF was called with {len(arrays)} column(s); the model takes {len(names)}: "
        f"{', '.join(names)}. Give those in this order, or struct(...) with any columns by name.",
        expected=names,
        found=len(arrays),
    )


def _rows(arrays: Sequence[Any], names: Sequence[str]) -> Any:
    import pyarrow as pa

    if not names:
        return pa.RecordBatch.from_struct_array(arrays[0])
    return pa.RecordBatch.from_arrays(list(arrays), names=list(names))


def _answer(model: Any, rows: Any, kind: Any) -> Any:
    if not rows.num_rows:
        import pyarrow as pa
        from pyspark.sql.pandas.types import to_arrow_type

        return pa.array([], to_arrow_type(kind))
    return column_of(model.predict_batch(rows), kind)
