"""The dialect of batch scoring: a chunk of an input, whose answer is written here, in the worker.

A chunk may end with *witness rows*: rows of the same input that make a reader see each column as it
would see it in the whole input. They are predicted with the others, and their answers are dropped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from polyhost.codecs import Answer, Request
from polyhost.codecs.native import encode_table
from polyhost.data.payload import Buffer, Table
from polyhost.errors import InvalidOutput, SettingsError
from polyhost.formats import arrow, csv_cells
from polyhost.formats.csv import write_table
from polyhost.pipeline import batching
from polyhost.predictor import Predictor

CSV, ARROW = "text/csv", arrow.MIMETYPES[1]
NOTES = "polyhost-batch"
"""Header of an answer: :class:`Notes` as JSON."""


@dataclass(frozen=True)
class Options:
    """How a chunk is answered, beside its body.

    ``witnesses``: rows at its end whose answers are dropped. ``before``, ``after``: names of its own
    columns that are written before and after the predictions (CSV chunks). ``whole``: this is the
    whole input, so that the number of answers may differ from that of the rows.
    """

    witnesses: int = 0
    before: Tuple[str, ...] = ()
    after: Tuple[str, ...] = ()
    whole: bool = False

    def to_wire(self) -> Dict[str, Any]:
        wire: Dict[str, Any] = {}
        if self.witnesses:
            wire["witnesses"] = self.witnesses
        for name in ("before", "after"):
            if getattr(self, name):
                wire[name] = list(getattr(self, name))
        if not self.whole:
            wire["strict_rows"] = True
        return wire

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Options:
        return cls(
            int(wire.get("witnesses", 0)),
            tuple(wire.get("before", ())),
            tuple(wire.get("after", ())),
            not wire.get("strict_rows"),
        )


@dataclass(frozen=True)
class Notes:
    """What the host hears of an answer: names of its columns, kinds of their cells, its rows."""

    names: Tuple[str, ...]
    kinds: Tuple[str, ...]
    rows: int

    def to_header(self) -> str:
        return json.dumps([list(self.names), list(self.kinds), self.rows])

    @classmethod
    def from_header(cls, header: str) -> Notes:
        names, kinds, rows = json.loads(header)
        return cls(tuple(names), tuple(kinds), int(rows))


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Predict or transform a chunk, and write the answers as the request accepts them."""
    options = Options.from_wire(request.options)
    payload = request.payload(body)
    if request.op == "predict":
        table = predictor.predict(payload).together()
    elif request.op == "transform":
        table = predictor.transform(payload)
    else:
        raise SettingsError(f"unknown operation {request.op!r}: expected predict or transform.")
    if options.before or options.after:
        table = _beside(table, body, options)
    if options.witnesses:
        table = table.slice(0, table.rows - options.witnesses)
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
    content_type, body = encode_table(table, json_only=accept != ARROW)
    return Answer(body, content_type, headers=notes)


def _kind(column: Any) -> str:
    return str(getattr(column, "dtype", "text"))


def _beside(table: Table, body: Buffer, options: Options) -> Table:
    """The answers between columns of the chunk itself, whose cells are the texts that came."""
    came = csv_cells.read(body)
    if came.rows != table.rows:
        raise InvalidOutput(
            f"the model returned {table.rows} row(s) for {came.rows} input row(s): columns of the "
            "input cannot stand beside them.",
            expected=came.rows,
            found=table.rows,
        )
    before, after = _positions(came, options.before), _positions(came, options.after)
    return Table(
        [*options.before, *table.names, *options.after],
        [
            *(came.columns[i] for i in before),
            *table.columns,
            *(came.columns[i] for i in after),
        ],
    )


def _positions(came: Table, names: Sequence[str]) -> List[int]:
    return [came.names.index(name) for name in names]


def notes_of(meta: Mapping[str, Any]) -> Optional[Notes]:
    """The notes in an answer's meta; None in one of another dialect."""
    header = (meta.get("headers") or {}).get(NOTES)
    return None if header is None else Notes.from_header(header)
