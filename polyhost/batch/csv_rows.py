"""Where the rows of CSV text end, and text cut there: no cell is looked at."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from polyhost.errors import InvalidInput
from polyhost.formats import csv_cells, tables

_NEWLINE, _RETURN, _QUOTE = 10, 13, 34
_BOM = b"\xef\xbb\xbf"
LONGEST_ROW = 256 << 20

Read = Callable[[int], bytes]
"""Reads so many bytes, fewer only at the end."""


@dataclass(frozen=True)
class Header:
    """The header of a file: the line as it came, its names, and what separates the fields."""

    line: bytes
    names: tuple[str, ...]
    delimiter: str = ","


@dataclass(frozen=True)
class Piece:
    """Whole rows, and how many they are."""

    data: bytes
    rows: int


def read_header(read: Read, delimiter: str, size: int) -> tuple[Header, bytes]:
    """The header of a file, and what was read past it."""
    data = b""
    while True:
        block = read(size)
        data += block
        if data.startswith(_BOM):
            data = data[len(_BOM) :]
        data = data.lstrip(b"\r\n")
        ends = row_ends(data, delimiter, final=len(block) < size)
        if len(ends):
            break
        if len(block) < size:
            csv_cells.read(data)  # says why there is no table
        _check_length(data, 0)
    line, rest = data[: ends[0]], data[ends[0] :]
    csv_cells.check_text(line)
    names = next(csv.reader([line.decode("utf-8")], delimiter=delimiter, strict=True), [])
    tables.check_names(names)
    return Header(line if line.endswith(b"\n") else line + b"\n", tuple(names), delimiter), rest


def cut(read: Read, header: Header, rest: bytes, size: int, rows: int | None) -> Iterator[Piece]:
    """Pieces of ``rows`` rows each; where that is None, of no more than about ``size`` bytes.

    The same file gives the same pieces, whatever it is read from.
    """
    held: list[Piece] = []
    pending, final, seen = rest, False, 0
    while not final:
        wanted = max(1, size - len(pending))
        block = read(wanted)
        final = len(block) < wanted
        data = pending + block if pending else block
        ends = row_ends(data, header.delimiter, final)
        stop = int(ends[-1]) if len(ends) else 0
        whole, pending = data[:stop], data[stop:]
        if stop:
            count = len(_places(whole, ends, header)[1])
            held.append(Piece(whole, count))
            seen += count
        else:
            _check_length(pending, seen)
        if rows is None:
            yield from (piece for piece in held if piece.rows)
            held = []
        else:
            yield from _of_rows(held, header, rows, final)


def _of_rows(held: list[Piece], header: Header, rows: int, final: bool) -> Iterator[Piece]:
    """Take pieces of so many rows from those held; the last one may be shorter."""
    if not final and sum(piece.rows for piece in held) < rows:
        return
    data = b"".join(piece.data for piece in held)
    held.clear()
    ends = row_places(data, header)[1]
    at = done = 0
    while len(ends) - done >= rows or (final and done < len(ends)):
        count = min(rows, len(ends) - done)
        stop = int(ends[done + count - 1])
        yield Piece(data[at:stop], count)
        at, done = stop, done + count
    if done < len(ends):
        held.append(Piece(data[at:], len(ends) - done))


def no_rows(header: Header) -> InvalidInput:
    """The error for a file of a header alone."""
    return csv_cells.no_rows(header.names)


def row_places(data: bytes, header: Header) -> tuple[np.ndarray, np.ndarray]:
    """Where the rows of whole lines start and end; lines without anything are no rows."""
    return _places(data, row_ends(data, header.delimiter, final=True), header)


def _places(data: bytes, ends: np.ndarray, header: Header) -> tuple[np.ndarray, np.ndarray]:
    starts = np.concatenate(([0], ends[:-1])) if len(ends) else ends
    if len(header.names) == 1:  # an empty line is a row with an empty cell
        return starts, ends
    lengths = ends - starts
    short = np.flatnonzero(lengths <= 2)
    blank = [i for i in short.tolist() if not data[starts[i] : ends[i]].strip(b"\r\n")]
    if not blank:
        return starts, ends
    kept = np.ones(len(ends), bool)
    kept[blank] = False
    return starts[kept], ends[kept]


def row_ends(data: bytes, delimiter: str, final: bool) -> np.ndarray:
    """Where the rows in ``data`` end; ``final``: nothing comes after it."""
    array = np.frombuffer(data, np.uint8)
    if data.count(b"\r") != data.count(b"\r\n"):
        return _ends_by_reader(data, delimiter, final)
    ends = np.flatnonzero(array == _NEWLINE) + 1
    if b'"' in data:
        quotes = np.flatnonzero(array == _QUOTE)
        if not _are_paired(array, quotes, delimiter):
            return _ends_by_reader(data, delimiter, final)
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    return _with_end(ends, len(data)) if final else ends


def _with_end(ends: np.ndarray, size: int) -> np.ndarray:
    if size and (not len(ends) or ends[-1] < size):
        return np.append(ends, size)
    return ends


def _are_paired(array: np.ndarray, quotes: np.ndarray, delimiter: str) -> bool:
    """Whether every other quote opens a field, and every other closes one, or is one of two in it."""
    if len(delimiter.encode("utf-8")) > 1:
        return False
    marks = np.zeros(256, bool)
    marks[[_NEWLINE, _RETURN, _QUOTE, ord(delimiter)]] = True
    opening, closing = quotes[::2], quotes[1::2]
    before = array[opening[opening > 0] - 1]
    after = array[closing[closing + 1 < len(array)] + 1]
    return bool(marks[before].all() and marks[after].all())


def _ends_by_reader(data: bytes, delimiter: str, final: bool) -> np.ndarray:
    """The same by the standard library's reader, for text that is not plain: slow and exact."""
    csv.field_size_limit(1 << 30)
    at = 0
    found: list[int] = []

    def lines() -> Iterator[str]:
        nonlocal at
        # A byte is a character here, so that places in the text are those in the data.
        for line in io.StringIO(data.decode("latin-1"), newline=""):
            at += len(line)
            yield line

    mark = delimiter.encode("utf-8").decode("latin-1")
    if len(mark) > 1:
        raise InvalidInput(
            f"--delimiter {delimiter!r} cannot separate fields in a file with quotes or single "
            "carriage returns: expected an ASCII character."
        )
    reader = csv.reader(lines(), delimiter=mark, strict=True)
    try:
        found.extend(at for _ in reader)
    except csv.Error as error:
        # What follows is one row to us, and a worker says what is wrong; unless the text ends in
        # the middle of a cell and more is to come.
        cut_off = not final and "unexpected end of data" in str(error)
        return np.array(found if cut_off else [*found, len(data)], np.int64)
    if not final and found and not data.endswith((b"\n", b"\r")):
        found.pop()
    if not final and found and data.endswith(b"\r"):
        found.pop()  # a line feed may follow
    return np.array(found, np.int64)


def _check_length(data: bytes, seen: int) -> None:
    if len(data) > LONGEST_ROW:
        raise InvalidInput(
            f"row {seen + 1} has no end within {LONGEST_ROW >> 20} MiB: a quote that is opened there "
            "is not closed, or the file is no CSV. Close the quote.",
            row=seen + 1,
        )
