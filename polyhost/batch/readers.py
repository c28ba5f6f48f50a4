"""Chunks of an input, by its format. The same input and settings give the same chunks."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from polyhost.batch import columnar, csv_rows, sparse_rows
from polyhost.batch.chunks import Chunk, CsvChunk, JsonChunk
from polyhost.batch.inputs import Input, Unpacked
from polyhost.errors import InvalidInput, PolyhostError, SettingsError
from polyhost.formats import json

CHUNK_BYTES = 2 << 20
"""Bytes of text in a chunk, where its rows are not given."""
CHUNK_ROWS = 25_000
"""Rows of a chunk of columns, or of a sparse matrix, where they are not given."""


@dataclass(frozen=True)
class Reading:
    """How inputs are read. ``rows``: rows of a chunk; None is what is usual. ``whole``: each input
    is one chunk."""

    rows: int | None = None
    delimiter: str = ","
    charset: str | None = None
    whole: bool = False


class Progress:
    """Bytes that were taken from the inputs."""

    def __init__(self) -> None:
        self.done = 0
        self.current: Callable[[], int] = lambda: 0

    @property
    def taken(self) -> int:
        return self.done + self.current()


def chunks(
    inputs: Sequence[Input], reading: Reading, progress: Progress | None = None
) -> Iterator[Chunk]:
    """The chunks of all inputs, one after another. InvalidInput names the input."""
    progress = progress or Progress()
    for place, source in enumerate(inputs):
        try:
            yield from _READERS[source.format](place, source, reading, progress)
        except InvalidInput as error:
            if source.name in error.message:
                raise
            raise named(error, source.name) from error
        progress.done, progress.current = progress.taken, lambda: 0


def named(error: PolyhostError, name: str) -> PolyhostError:
    """The error with the input's name before it."""
    return type(error)(f"{name}: {error.message}", **error.facts)


def _read_csv(place: int, source: Input, reading: Reading, progress: Progress) -> Iterator[Chunk]:
    with source.open_unpacked() as file:
        progress.current = lambda: file.taken
        read = _text(file, source.name, reading.charset)
        header, rest = csv_rows.read_header(read, reading.delimiter, CHUNK_BYTES)
        if reading.whole:
            data = _all(read, rest)
            pieces: Iterator[csv_rows.Piece] = iter([_whole(data, header)])
        else:
            pieces = csv_rows.cut(read, header, rest, CHUNK_BYTES, reading.rows)
        first = 1
        for piece in pieces:
            yield CsvChunk(place, first, piece.rows, header, piece.data)
            first += piece.rows
        if first == 1:
            raise csv_rows.no_rows(header)


def _whole(data: bytes, header: csv_rows.Header) -> csv_rows.Piece:
    return csv_rows.Piece(data, len(csv_rows.row_places(data, header)[0]))


def _all(read: csv_rows.Read, rest: bytes) -> bytes:
    parts = [rest]
    while block := read(CHUNK_BYTES):
        parts.append(block)
    return b"".join(parts)


def _text(file: Unpacked, name: str, charset: str | None) -> csv_rows.Read:
    """Reads text as UTF-8, whatever it is in. UTF-16 says what it is."""
    head = file.read(2)
    if charset is None and head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        charset = "utf-16"
    if charset is None:
        return _Joined(head, file.read).read
    return _Recoded(_Joined(head, file.read).read, name, charset).read


class _Joined:
    """Reads some bytes, then what comes after them."""

    def __init__(self, head: bytes, read: csv_rows.Read) -> None:
        self._head = head
        self._read = read

    def read(self, size: int) -> bytes:
        head, self._head = self._head[:size], self._head[size:]
        return head + self._read(size - len(head)) if len(head) < size else head


class _Recoded:
    """Reads text of an encoding as UTF-8."""

    def __init__(self, read: csv_rows.Read, name: str, charset: str) -> None:
        self._read = read
        self._name = name
        self._charset = charset
        self._ready = b""
        self._offset = 0
        self._ended = False
        try:
            self._decoder = codecs.getincrementaldecoder(charset)()
        except LookupError:
            raise SettingsError(
                f"--charset {charset!r} is not known: expected the name of an encoding, such as "
                "latin-1, cp1252 or utf-16."
            ) from None

    def read(self, size: int) -> bytes:
        while len(self._ready) < size and not self._ended:
            block = self._read(1 << 20)
            self._ended = not block
            try:
                text = self._decoder.decode(block, final=self._ended)
            except UnicodeDecodeError as error:
                found = error.object[error.start : error.start + 8]
                raise InvalidInput(
                    f"{self._name} is not in {self._charset}: found {bytes(found)!r} near offset "
                    f"{self._offset + error.start}. Give the encoding that the file was written in."
                ) from error
            self._offset += len(block)
            self._ready += text.encode("utf-8")
        found, self._ready = self._ready[:size], self._ready[size:]
        return found


def _read_lines(place: int, source: Input, reading: Reading, progress: Progress) -> Iterator[Chunk]:
    with source.open_unpacked() as file:
        progress.current = lambda: file.taken
        first, names = 1, _Names()
        for lines in _line_groups(_text(file, source.name, reading.charset), reading):
            names.see(lines[0])
            yield JsonChunk(place, first, lines, names.found)
            first += len(lines)
        if first == 1:
            raise InvalidInput("there are no lines: expected a JSON object on each.")


class _Names:
    """Keys of the first line, for messages."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def see(self, line: bytes) -> None:
        if not self.found:
            try:
                value = json.loads(line)
            except InvalidInput:
                return
            self.found = list(value) if isinstance(value, dict) else []


def _line_groups(read: csv_rows.Read, reading: Reading) -> Iterator[list[bytes]]:
    held: list[bytes] = []
    pending, final = b"", False
    while not final:
        block = read(CHUNK_BYTES)
        final = len(block) < CHUNK_BYTES
        *lines, pending = (pending + block).split(b"\n")
        if final:
            lines.append(pending)
        elif len(pending) > csv_rows.LONGEST_ROW:
            raise InvalidInput("a line has no end: expected a JSON object on each line.")
        held += [line for line in lines if line.strip()]
        if reading.whole:
            continue
        rows = reading.rows or max(1, len(held))
        while len(held) >= rows:
            yield held[:rows]
            held = held[rows:]
    if held:
        yield held


def _read_columns(
    place: int, source: Input, reading: Reading, progress: Progress
) -> Iterator[Chunk]:
    rows = None if reading.whole else reading.rows or CHUNK_ROWS
    return columnar.chunks(place, source, rows)


def _read_sparse(
    place: int, source: Input, reading: Reading, progress: Progress
) -> Iterator[Chunk]:
    rows = None if reading.whole else reading.rows or CHUNK_ROWS
    with source.open_unpacked() as file:
        progress.current = lambda: file.taken
        yield from sparse_rows.chunks(place, file.read, rows)


_READERS: dict[str, Any] = {
    "csv": _read_csv,
    "jsonl": _read_lines,
    "parquet": _read_columns,
    "arrow": _read_columns,
    "mtx": _read_sparse,
}
