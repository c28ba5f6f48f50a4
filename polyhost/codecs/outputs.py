"""Rows that go out in a form that the client chose: CSV, JSON lines, Arrow or Parquet."""

from __future__ import annotations

import os
from typing import Any, Callable, List, Mapping

from polyhost.codecs import Answer, Request, nonfinite
from polyhost.codecs.accept import CSV, FILE, FORMS, JSON, LINES, PARQUET, STREAM
from polyhost.codecs.predictions import cells
from polyhost.data.payload import Dictionary, Table
from polyhost.errors import NotAcceptable
from polyhost.formats import arrow, json
from polyhost.formats.csv import write_table

_HEADERLESS = "header=absent"


def encode(table: Table, request: Request) -> Answer:
    """A table as the request's ``accept`` says, one of the types in ``FORMS``."""
    kind, _, parameters = request.accept.partition(";")
    return _WRITE[FORMS[kind]](table, kind, parameters, request)


def _csv(table: Table, kind: str, parameters: str, request: Request) -> Answer:
    header = _has_header(table, parameters, request)
    presence = "present" if header else "absent"
    return Answer(write_table(table, header=header), f"{kind}; charset=utf-8; header={presence}")


def _has_header(table: Table, parameters: str, request: Request) -> bool:
    """What the client asked for; else as its rows came; else names where there are several.

    SageMaker puts answers together by their lines: in its batch mode there is no header.
    """
    if parameters:
        return parameters != _HEADERLESS
    if os.environ.get("SAGEMAKER_BATCH", "").lower() == "true":
        return False
    if _HEADERLESS in request.content_type.replace(" ", "").lower():
        return False
    return len(table.names) > 1


def _lines(table: Table, kind: str, parameters: str, request: Request) -> Answer:
    body = b"".join([json.in_ascii(json.dumps(row)) + b"\n" for row in listed(table)])
    return Answer(body, kind)


def listed(table: Table) -> List[Any]:
    """One item a row: the value, or an object by column where there are several columns."""
    columns = [cells(column, name) for name, column in table]
    _note_holes(table)
    if len(columns) == 1:
        return columns[0]
    return [dict(zip(table.names, row)) for row in zip(*columns)]


def _note_holes(table: Table) -> None:
    """Count the NaN that JSON has no number for; ``cells`` counts infinities."""
    for name, column in table:
        if not isinstance(column, Dictionary) and column.dtype.kind == "f":
            holes = column != column
            if holes.any():
                nonfinite.note(name, column[holes])


def _json(table: Table, kind: str, parameters: str, request: Request) -> Answer:
    return Answer(json.in_ascii(json.dumps(listed(table))), kind)


def _stream(table: Table, kind: str, parameters: str, request: Request) -> Answer:
    _needs_pyarrow(kind)
    return Answer(arrow.write(table), kind)


def _file(table: Table, kind: str, parameters: str, request: Request) -> Answer:
    _needs_pyarrow(kind)
    return Answer(arrow.write(table, as_file=True), kind)


def _parquet(table: Table, kind: str, parameters: str, request: Request) -> Answer:
    _needs_pyarrow(kind)
    return Answer(arrow.write_parquet(table), kind)


def _needs_pyarrow(kind: str) -> None:
    if not arrow.available():
        raise NotAcceptable(
            f"an answer cannot be {kind!r}: pyarrow is not in this model's environment. Install "
            "it with: pip install pyarrow, or accept JSON or CSV.",
            found=kind,
        )


_WRITE: Mapping[str, Callable[[Table, str, str, Request], Answer]] = {
    JSON: _json,
    CSV: _csv,
    LINES: _lines,
    STREAM: _stream,
    FILE: _file,
    PARQUET: _parquet,
}
