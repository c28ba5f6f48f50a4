"""A chunk scored: its answers, or the rows of it that have none, found by halving."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Literal

from polyhost.batch.chunks import Chunk, JsonChunk, TableChunk
from polyhost.batch.engine import Reply, Workers, beside, from_stream, to_stream
from polyhost.codecs import Request, batch
from polyhost.codecs.batch import ARROW, Notes, Options, notes_of
from polyhost.data.payload import Payload
from polyhost.errors import (
    InvalidInput,
    InvalidOutput,
    PolyhostError,
    RuntimeUnavailable,
    SchemaMismatch,
    SettingsError,
    WorkerNotReady,
)
from polyhost.formats import rows

OnError = Literal["fail", "skip", "null"]
HOPELESS = 100
"""Rows that fail before any succeeds, after which the run ends."""


@dataclass(frozen=True)
class Answered:
    """Answers as they are written, and what they are."""

    body: bytes
    notes: Notes


@dataclass(frozen=True)
class Rejected:
    """One row without an answer, and why."""

    chunk: Chunk
    error: PolyhostError

    @property
    def row(self) -> int:
        return self.chunk.first


@dataclass(frozen=True)
class Scoring:
    """How chunks are scored: what is asked of the workers, and what a bad row does.

    ``inputs`` are the inputs' names, for messages. ``witnesses``: rows that go with each chunk.
    """

    workers: Workers
    op: str
    accept: str
    options: Options
    inputs: Sequence[str]
    on_error: OnError = "fail"
    witnesses: Sequence[Any] = ()

    def submit(self, chunk: Chunk, retry: bool = True) -> Future[Reply]:
        """Have a worker score a chunk."""
        fitting = chunk.fitting(self.witnesses)
        options = replace(self.options, witnesses=len(fitting))
        if self._joins_here(chunk):
            options = replace(options, before=(), after=())
        request = Request(
            self.op, "batch", chunk.content_type, self.accept, options=options.to_wire()
        )
        return self.workers.submit(request, chunk.body(fitting), retry)

    def before(self, chunk: Chunk) -> int:
        """How many witness rows go before a chunk's own."""
        return len(chunk.fitting(self.witnesses))

    def _joins_here(self, chunk: Chunk) -> bool:
        """Columns keep their types where they go from columns to columns."""
        return isinstance(chunk, TableChunk) and self.accept == ARROW

    def joined(self, chunk: Chunk, body: bytes, notes: Notes) -> Answered:
        """A worker's answer with the chunk's own columns beside it."""
        options = self.options
        if not (options.before or options.after) or not self._joins_here(chunk):
            return Answered(body, notes)
        assert isinstance(chunk, TableChunk)
        found = beside(from_stream(body), chunk.batch, options.before, options.after)
        own = ("text",)
        kinds = (*own * len(options.before), *notes.kinds, *own * len(options.after))
        return Answered(to_stream(found), Notes(tuple(found.schema.names), kinds, notes.rows))

    def missing(self, chunk: Chunk, names: Sequence[str]) -> bytes:
        """What stands for a chunk without answers; ``names`` are those of all columns."""
        own = names[len(self.options.before) : len(names) - len(self.options.after)]
        body = b"".join(chunk.body())
        if self._joins_here(chunk):
            assert isinstance(chunk, TableChunk)
            plain = batch.missing(own, Payload(body), chunk.rows, Options(), self.accept)
            answers = from_stream(plain)
            return to_stream(beside(answers, chunk.batch, self.options.before, self.options.after))
        table = None
        if isinstance(chunk, JsonChunk):
            names_found, cells = rows.decode_lines(body)
            table = rows.table(names_found, cells, numeric=False)
        payload = Payload(body, chunk.content_type, table=table)
        return batch.missing(own, payload, chunk.rows, self.options, self.accept)


class Scorer:
    """Scores chunks of one run in order, and keeps count of what has no answer."""

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring
        self._succeeded = False
        self._failed = 0

    def finish(self, chunk: Chunk, answer: Future[Reply]) -> list[Answered | Rejected]:
        """What came of a chunk, in the order of its rows.

        A row that cannot be scored ends the run where ``on_error`` is ``fail``: the first is named.
        """
        try:
            return [self._answered(chunk, answer.result())]
        except PolyhostError as error:
            if self._scoring.options.whole or _concerns_all(error):
                raise self._placed(error, chunk) from error
            return list(self._narrowed(chunk, error))

    def _answered(self, chunk: Chunk, reply: Reply) -> Answered:
        notes = notes_of(reply[0])
        assert notes is not None
        if not self._scoring.options.whole and notes.rows != chunk.rows:
            raise InvalidOutput(
                f"the model returned {notes.rows} row(s) for {chunk.rows} input row(s): expected "
                "one each. Leave --chunk-rows out for a model that drops or adds rows.",
                expected=chunk.rows,
                found=notes.rows,
            )
        self._succeeded = True
        return self._scoring.joined(chunk, reply[1], notes)

    def _tried(self, chunk: Chunk) -> Iterator[Answered | Rejected]:
        try:
            reply = self._scoring.submit(chunk, retry=chunk.rows == 1).result()
            yield self._answered(chunk, reply)
        except PolyhostError as error:
            if _concerns_all(error):
                raise self._placed(error, chunk) from error
            yield from self._narrowed(chunk, error)

    def _narrowed(self, chunk: Chunk, error: PolyhostError) -> Iterator[Answered | Rejected]:
        """The same for a chunk that failed: its halves, or the row that the error names apart."""
        if chunk.rows == 1:
            yield self._rejected(chunk, error)
            return
        for part in halves(chunk, error, self._scoring.before(chunk)):
            yield from self._tried(part)

    def _rejected(self, chunk: Chunk, error: PolyhostError) -> Rejected:
        if self._scoring.on_error == "fail":
            raise self._placed(error, chunk) from error
        self._failed += 1
        if not self._succeeded and self._failed >= HOPELESS:
            raise InvalidInput(
                f"the first {self._failed} rows all fail, the last with: {error.message} Is this the "
                "file that the model takes?"
            ) from error
        return Rejected(chunk, error)

    def _placed(self, error: PolyhostError, chunk: Chunk) -> PolyhostError:
        """The error with the input, and the row where it is one, before it."""
        place, message = self._scoring.inputs[chunk.input], error.message
        facts = {key: value for key, value in error.facts.items() if key != "row"}
        if chunk.rows == 1 and not _concerns_all(error):
            message = reason_of(chunk, error, self._scoring.before(chunk))
            facts["row"] = chunk.first
            if f"row {chunk.first}" not in message:
                place = f"{place}, row {chunk.first}"
        return type(error)(f"{place}: {message}", **facts)


def reason_of(chunk: Chunk, error: PolyhostError, witnesses: int = 0) -> str:
    """Why one row has no answer: what a model says of its row in the body is said of the input's."""
    own = rf"\brow ({witnesses}|{witnesses + 1})\b"
    message = re.sub(own, f"row {chunk.first}", error.message)
    return message.replace("Send the data as UTF-8.", "Give --charset, or write the file as UTF-8.")


def _concerns_all(error: PolyhostError) -> bool:
    """Whether other rows could not be scored either."""
    if isinstance(error, (SettingsError, WorkerNotReady, RuntimeUnavailable)):
        return True
    return isinstance(error, SchemaMismatch) and "row" not in error.facts


def halves(chunk: Chunk, error: PolyhostError, before: int = 0) -> list[Chunk]:
    """A chunk that failed in parts: cut around the row that the error names, or in the middle.

    ``before``: rows that stood before its own.
    """
    row = error.facts.get("row")
    cuts = [chunk.rows // 2]
    if isinstance(row, int) and 1 <= row - before <= chunk.rows:
        cuts = [row - before - 1, row - before]
    places = [0, *cuts, chunk.rows]
    return [chunk.part(start, stop) for start, stop in zip(places, places[1:]) if stop > start]
