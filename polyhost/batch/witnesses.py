"""Witness rows: with them a reader sees each column of a chunk as it would see it in all of the input.

Where a model does not say what its columns are, its language's reader decides by all cells of a
column. A chunk has fewer of them. So each chunk is sent with some rows of the same input, one for
each sort of cell that the whole input holds in a column (an empty cell, a whole number, the largest
of them, a fraction, a text ...), and the answers to these rows are dropped. They come first, in their
order in the input, since some readers decide by what they see first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from polyhost.batch.chunks import Chunk, CsvChunk, JsonChunk, TableChunk
from polyhost.batch.scoring import Scoring, halves
from polyhost.data.column_info import ANY
from polyhost.data.payload import Dictionary
from polyhost.errors import InvalidInput, PolyhostError
from polyhost.formats import csv_cells, csv_dialect, json
from polyhost.predictor import ModelInfo

TEXT = "text"
MOST_SHAPES = 100
"""Sorts of cells of one column, after which no more of them are looked for."""
_WORDS = frozenset(
    [
        "true",
        "false",
        "t",
        "f",
        "yes",
        "no",
        "na",
        "n/a",
        "nan",
        "null",
        "none",
        "nil",
        "missing",
        "inf",
        "infinity",
        "-inf",
        "-infinity",
        "+inf",
        "#n/a",
        "#na",
        "-nan",
        "<na>",
        "1.#ind",
        "1.#qnan",
        "-1.#ind",
        "-1.#qnan",
    ]
)
"""Words that some reader takes for something else than text, in lower case."""


def are_needed(info: ModelInfo, chunk: Chunk) -> bool:
    """Whether the other rows of a body may change what a cell of this chunk means to the model."""
    if isinstance(chunk, JsonChunk):
        return True  # a key that all rows of a chunk lack
    if isinstance(chunk, (CsvChunk, TableChunk)):
        return not info.typed or any(column.kind == ANY for column in info.guest.columns)
    return False


def find(chunks: Iterable[Chunk]) -> list[Any]:
    """Rows that stand for all of these chunks, each once, in the order of the input."""
    found: list[Any] = []
    seen: set[Any] = set()
    for chunk in chunks:
        _add(chunk, seen, found)
    return found


def _add(chunk: Chunk, seen: set[Any], found: list[Any]) -> None:
    """Add the rows of a chunk that are the first of their sort; rows that cannot be read are none."""
    rows: set[int] = set()
    try:
        sorts = list(_sorts(chunk, seen))
    except InvalidInput as error:
        if chunk.rows > 1:
            for part in halves(chunk, error):
                _add(part, seen, found)
        return
    for key, row in sorts:
        if key not in seen:
            seen.add(key)
            rows.add(row)
    found += [chunk.witness(row) for row in sorted(rows)]


def _sorts(chunk: Chunk, seen: set[Any]) -> Iterable[tuple[Any, int]]:
    """Sorts of cells in a chunk, and the first row that has each; columns that are known to hold
    texts are left out."""
    if isinstance(chunk, CsvChunk):
        return _csv_sorts(chunk, {key[0] for key in seen if key[1] == TEXT})
    if isinstance(chunk, JsonChunk):
        return _json_sorts(chunk)
    if isinstance(chunk, TableChunk):
        return _table_sorts(chunk)
    return ()


def _csv_sorts(chunk: CsvChunk, texts: set[str]) -> Iterable[tuple[Any, int]]:
    body = b"".join(chunk.body())
    if chunk.header.delimiter != ",":
        body = csv_dialect.with_commas(body, chunk.header.delimiter)
    for name, column in csv_cells.read(body):
        if name in texts:
            continue
        assert isinstance(column, Dictionary)
        first = np.full(len(column.values), len(column))
        np.minimum.at(first, column.codes, np.arange(len(column)))
        for shape, place in _shapes(column.values):
            yield (name, shape), int(first[place])


def _shapes(values: Sequence[str]) -> Iterable[tuple[Any, int]]:
    """Sorts of texts, and the place of one of each."""
    import pyarrow as pa
    from pyarrow import compute

    texts = pa.array(values, pa.string())
    plain = compute.match_substring_regex(texts, r"^-?(0|[1-9][0-9]{0,8})$")
    fraction = compute.match_substring_regex(texts, r"^-?(0|[1-9][0-9]{0,14})\.[0-9]{1,17}$")
    for shape, mask in (("whole", plain), ("fraction", fraction)):
        places = np.flatnonzero(mask.to_numpy(zero_copy_only=False))
        if len(places):
            yield shape, int(places[0])
    other = compute.invert(compute.or_(plain, fraction)).to_numpy(zero_copy_only=False)
    seen: set[Any] = set()
    for place in np.flatnonzero(other).tolist():
        shape = _shape(values[place])
        if shape not in seen:
            seen.add(shape)
            yield shape, place
            if shape == TEXT or len(seen) > MOST_SHAPES:
                return


def _shape(text: str) -> Any:
    """What sort of text it is to a reader: digits by their number, words apart, letters alike."""
    if text.strip().lower() in _WORDS:
        return text
    digits = text.strip().lstrip("+-")
    if digits.isdecimal():
        return ("digits", text[:1] in "+-", len(digits), digits >= _LIMITS.get(len(digits), ":"))
    kept = [("9" if c.isdecimal() else "a" if c.isalpha() else c) for c in text[:64]]
    if kept.count("a") > 4:
        return TEXT
    return "".join(c for i, c in enumerate(kept) if not i or c != kept[i - 1])


_LIMITS = {10: "2147483648", 16: "9007199254740993", 19: "9223372036854775808"}
_LIMITS[20] = "18446744073709551616"
"""The first whole numbers of so many digits that a type of some reader cannot hold."""


def _json_sorts(chunk: JsonChunk) -> Iterable[tuple[Any, int]]:
    for row, line in enumerate(chunk.lines):
        value = json.loads(line)
        if isinstance(value, dict):
            for key, cell in value.items():
                large = isinstance(cell, int) and abs(cell) > 2**53
                yield (key, type(cell).__name__, large), row


def _table_sorts(chunk: TableChunk) -> Iterable[tuple[Any, int]]:
    from pyarrow import types

    for name, column in zip(chunk.batch.schema.names, chunk.batch.columns):
        if column.null_count:
            missing = column.is_null().to_numpy(zero_copy_only=False)
            yield (name, "missing"), int(np.argmax(missing))
        if types.is_integer(column.type):
            numbers = column.fill_null(0).to_numpy(zero_copy_only=False)
            large = np.abs(numbers.astype(np.float64)) > 2**53
            if large.any():
                yield (name, "large"), int(np.argmax(large))


def settled(scoring: Scoring, chunk: Chunk, witnesses: Sequence[Any]) -> Sequence[Any]:
    """Witnesses without the rows that cannot be scored themselves, which would fail every chunk.

    ``chunk`` is any of the input.
    """
    if not witnesses or _can_be_scored(scoring, chunk, witnesses):
        return witnesses
    return [each for each in witnesses if _can_be_scored(scoring, chunk, [each])]


def _can_be_scored(scoring: Scoring, chunk: Chunk, witnesses: Sequence[Any]) -> bool:
    plain = replace(scoring, witnesses=witnesses[1:])
    try:
        plain.submit(chunk.of_witness(witnesses[0])).result()
    except PolyhostError:
        return False
    return True
