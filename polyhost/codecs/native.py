"""polyhost's own dialect, between its processes: tables as Arrow streams, or as typed JSON.

A body of one of the two table types is a table; any other is a payload as it came. The answer is
Arrow where the request accepts it and pyarrow is here, JSON otherwise.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Union

import numpy as np

from polyhost.codecs import Answer, Request, split_content_type
from polyhost.data.payload import Buffer, Column, Dictionary, Payload, Scores, Table
from polyhost.errors import InvalidInput, SettingsError
from polyhost.formats import arrow
from polyhost.formats.json import plain
from polyhost.formats.rows import check_count, objects
from polyhost.formats.text import unstructured_output
from polyhost.pipeline import batching
from polyhost.predictor import Predictor

ARROW = arrow.MIMETYPES[1]
JSON_TABLE = "application/vnd.polyhost.table+json"


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Answer one request."""
    if request.op == "predict":
        return _scores(request, predictor.predict(_read(request, body)))
    if request.op == "unstructured":
        return Answer(*unstructured_output(predictor.answer(request.payload(body))))
    if request.op == "transform":
        found = _read(request, body)
        payload = found if isinstance(found, Payload) else Payload(b"", table=found)
        return _table(request, predictor.transform(payload), {})
    raise SettingsError(
        f"unknown operation {request.op!r}: expected predict, unstructured or transform."
    )


def answer_many(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer]
) -> List[Union[Answer, Exception]]:
    """Answer a batch; tables go through one call where the model allows it."""
    mimetype, _ = split_content_type(request.content_type)
    if request.op != "predict" or mimetype not in (ARROW, JSON_TABLE):
        return [batching.attempt(lambda b: answer(predictor, request, b), b) for b in bodies]
    outcomes: List[Any] = [batching.attempt(lambda b: _read(request, b), b) for b in bodies]
    good = [i for i, found in enumerate(outcomes) if not isinstance(found, Exception)]
    counts = [outcomes[i].rows for i in good]
    for together in batching.packs(good, counts, request.options.get("call_rows")):
        found = predictor.predict_many([outcomes[i] for i in together])
        for i, scores in zip(together, found):
            outcomes[i] = scores if isinstance(scores, Exception) else _scores(request, scores)
    return outcomes


def _read(request: Request, body: Buffer) -> Union[Payload, Table]:
    mimetype, _ = split_content_type(request.content_type)
    if mimetype in (ARROW, JSON_TABLE):
        table = decode_table(mimetype, body)
        check_count(table.rows, request.options.get("max_rows"))
        return table
    return request.payload(body)


def _scores(request: Request, scores: Scores) -> Answer:
    table = scores.predictions
    notes: Dict[str, Any] = {"predictions": len(table.names)}
    if scores.extra is not None:
        extra = scores.extra
        table = Table([*table.names, *extra.names], [*table.columns, *extra.columns])
        notes["index"] = None if extra.index is None else list(extra.index)
    return _table(request, table, notes)


def _table(request: Request, table: Table, notes: Mapping[str, Any]) -> Answer:
    content_type, body = encode_table(table, notes, json_only=ARROW not in request.accept)
    return Answer(body, content_type)


def encode_table(
    table: Table, notes: Mapping[str, Any] = {}, json_only: bool = False
) -> Tuple[str, bytes]:
    """Content type and body of a table; ``json_only`` for a peer without pyarrow."""
    if not json_only and arrow.available():
        return ARROW, arrow.write(table, notes)
    columns = [_column_to_json(column) for column in table.columns]
    value = {"names": list(table.names), "columns": columns, "notes": dict(notes)}
    return JSON_TABLE, json.dumps(value, default=plain).encode("utf-8")


def decode_table(content_type: str, body: Buffer) -> Table:
    """The table of a body that :func:`encode_table` made."""
    return _decode(content_type, body)[0]


def decode_scores(content_type: str, body: Buffer) -> Scores:
    """The scores in the answer to a ``predict`` request."""
    table, notes = _decode(content_type, body)
    count = int(notes.get("predictions", len(table.names)))
    if "index" not in notes:
        return Scores(table)
    extra = Table(table.names[count:], table.columns[count:], index=notes["index"])
    return Scores(table.select(range(count)), extra)


def _decode(content_type: str, body: Buffer) -> Tuple[Table, Dict[str, Any]]:
    if content_type == ARROW:
        return arrow.read_with_notes(body)
    try:
        value = json.loads(str(body, "utf-8"))
        columns = [_column_from_json(item) for item in value["columns"]]
        return Table(value["names"], columns), value["notes"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"the body is not a {JSON_TABLE} table: {error!r}.") from error


def _column_to_json(column: Column) -> Dict[str, Any]:
    if isinstance(column, Dictionary):
        return {"codes": column.codes.tolist(), "values": list(column.values)}
    kind = column.dtype
    cells = column.astype(np.int64) if kind.kind == "M" else column
    return {"type": kind.str, "cells": cells.tolist()}


def _column_from_json(item: Mapping[str, Any]) -> Column:
    if "codes" in item:
        return Dictionary(np.array(item["codes"], dtype=np.int32), tuple(item["values"]))
    kind = np.dtype(item["type"])
    if kind.kind == "O":
        return objects(item["cells"])
    if kind.kind == "M":
        return np.array(item["cells"], dtype="i8").astype(kind)
    return np.array(item["cells"], dtype=kind)
