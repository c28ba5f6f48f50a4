"""The dialect of batch scoring: a chunk of an input, whose answer is written here, in the worker.

A chunk may begin with *witness rows*: rows of the same input that make a reader see each column as it
would see it in the whole input. They are predicted with the others, and their answers are dropped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from polyhost.codecs import Answer, Request
from polyhost.codecs.inputs import read_payload
from polyhost.codecs.native import encode_table
from polyhost.codecs.predictions import cells
from polyhost.data.payload import Buffer, Payload, Table
from polyhost.errors import InvalidInput, InvalidOutput, SettingsError
from polyhost.formats import arrow, csv_cells, csv_dialect, sparse
from polyhost.formats.csv import write_table
from polyhost.formats.json import dumps
from polyhost.formats.rows import objects
from polyhost.pipeline import batching
from polyhost.predictor import Predictor

CSV, ARROW, LINES = "text/csv", arrow.MIMETYPES[1], "application/jsonlines"
NOTES = "polyhost-batch"
"""Header of an answer: :class:`Notes` as JSON."""


@dataclass(frozen=True)
class Options:
    """How a chunk is answered, beside its body.

    ``witnesses``: rows at its beginning whose answers are dropped. ``before``, ``after``: names of its own
    columns that are written before and after the predictions, as they came. ``delimiter``: what
    separates the fields of a CSV chunk. ``colnames``: names of a sparse chunk's columns. ``whole``:
    this is the whole input, so that the number of answers may differ from that of the rows.
    """

    witnesses: int = 0
    before: Tuple[str, ...] = ()
    after: Tuple[str, ...] = ()
    delimiter: str = ","
    colnames: Tuple[str, ...] = ()
    whole: bool = False

    def to_wire(self) -> Dict[str, Any]:
        wire: Dict[str, Any] = {}
        if self.witnesses:
            wire["witnesses"] = self.witnesses
        for name in ("before", "after", "colnames"):
            if getattr(self, name):
                wire[name] = list(getattr(self, name))
        if self.delimiter != ",":
            wire["delimiter"] = self.delimiter
        if not self.whole:
            wire["strict_rows"] = True
        return wire

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Options:
        return cls(
            int(wire.get("witnesses", 0)),
            tuple(wire.get("before", ())),
            tuple(wire.get("after", ())),
            str(wire.get("delimiter", ",")),
            tuple(wire.get("colnames", ())),
            not wire.get("strict_rows"),
        )


@dataclass(frozen=True)
class Notes:
    """What the host hears of an answer: names of its columns, kinds of their cells, its rows."""

    names: Tuple[str, ...]
    kinds: Tuple[str, ...]
    rows: int

    def to_header(self) -> str:
        text = json.dumps([list(self.names), list(self.kinds), self.rows])
        return text.replace("\x7f", "\\u007f")

    @classmethod
    def from_header(cls, header: str) -> Notes:
        names, kinds, rows = json.loads(header)
        return cls(tuple(names), tuple(kinds), int(rows))


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Predict or transform a chunk, and write the answers as the request accepts them."""
    options = Options.from_wire(request.options)
    if options.delimiter != ",":
        body = csv_dialect.with_commas(bytes(body), options.delimiter)
    payload = read_payload(predictor, request, body)
    if options.colnames:
        names = "\n".join(options.colnames).encode("utf-8")
        payload = replace(payload, parts={"X.colnames": names})
    if request.op == "predict":
        table = predictor.predict(payload).together()
    elif request.op == "transform":
        table = predictor.transform(payload)
    else:
        raise SettingsError(f"unknown operation {request.op!r}: expected predict or transform.")
    if options.before or options.after:
        table = _beside(table, payload, options, request.accept)
    if options.witnesses:
        table = table.slice(options.witnesses, table.rows)
    return _write(table, request.accept)


def answer_many(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer]
) -> List[Union[Answer, Exception]]:
    """Answer chunks one by one: each is large enough for a call of its own."""
    return [
        batching.attempt(lambda body: answer(predictor, request, body), body) for body in bodies
    ]


def _write(table: Table, accept: str) -> Answer:
    kinds = tuple(_kind(column) for column in table.columns)
    notes = {NOTES: Notes(table.names, kinds, table.rows).to_header()}
    if accept == CSV:
        return Answer(write_table(table, header=False), CSV, headers=notes)
    if accept == LINES:
        columns = [cells(column, name) for name, column in table]
        lines = [dumps(dict(zip(table.names, row))) for row in zip(*columns)]
        return Answer(b"\n".join([*lines, b""]), LINES, headers=notes)
    content_type, body = encode_table(table, json_only=accept != ARROW)
    return Answer(body, content_type, headers=notes)


MISSING_ROW = "missing"
"""Kind of the cells of a row that has no answer."""


def missing(
    predictor_names: Sequence[str], payload: Payload, rows: int, options: Options, accept: str
) -> bytes:
    """What stands for rows that have no answer, as it is written; ``predictor_names`` are those of
    the answers alone."""
    table = Table(predictor_names, [objects([None] * rows) for _ in predictor_names])
    if accept == ARROW and not (options.before or options.after):
        return arrow.write_nulls(predictor_names, rows)
    if options.before or options.after:
        try:
            table = _beside(table, payload, options, accept)
        except InvalidInput:  # it is not a row at all, such as one with too many cells
            names = [*options.before, *predictor_names, *options.after]
            table = Table(names, [objects([None] * rows) for _ in names])
    body = _write(table, accept).body
    return body if isinstance(body, bytes) else b"".join(body)


def _kind(column: Any) -> str:
    return str(getattr(column, "dtype", "text"))


def _beside(table: Table, payload: Payload, options: Options, accept: str) -> Table:
    """The answers between columns of the chunk itself, which are as they came."""
    came = _came(payload, [*options.before, *options.after], accept)
    if came.rows != table.rows:
        raise InvalidOutput(
            f"the model returned {table.rows} row(s) for {came.rows} input row(s): columns of the "
            "input cannot stand beside them.",
            expected=came.rows,
            found=table.rows,
        )
    count = len(options.before)
    return Table(
        [*options.before, *table.names, *options.after],
        [*came.columns[:count], *table.columns, *came.columns[count:]],
    )


def _came(payload: Payload, names: Sequence[str], accept: str) -> Table:
    """Columns of the chunk: the texts of a CSV chunk, the values of any other."""
    kind = payload.mimetype.lower()
    if kind in arrow.COLUMNAR:
        return arrow.read_columns(payload.body, names, texts=accept == CSV)
    if kind == sparse.MIMETYPE:
        raise SettingsError("columns of a sparse matrix cannot stand beside the answers.")
    found = csv_cells.read(payload.body) if payload.table is None else payload.table
    return found.select([found.names.index(name) for name in names])


def notes_of(meta: Mapping[str, Any]) -> Optional[Notes]:
    """The notes in an answer's meta; None in one of another dialect."""
    header = (meta.get("headers") or {}).get(NOTES)
    return None if header is None else Notes.from_header(header)
