"""Where answers go and as what: CSV, JSON lines, Parquet or Arrow, in a file, at an address, or on
standard output."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from polyhost.batch import inputs
from polyhost.codecs.batch import ARROW, CSV, LINES, MISSING_ROW
from polyhost.errors import InvalidOutput, SettingsError

STDOUT = "-"
ENDINGS = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".arrows": "arrow-stream",
}
"""Formats by the ending of a name; anything else is CSV."""
FORMATS = ("csv", "jsonl", "parquet", "arrow", "arrow-stream")
_ACCEPT = {"csv": CSV, "jsonl": LINES}
_WHOLE = re.compile(r"-?[0-9]+")


@dataclass(frozen=True)
class Output:
    """A file, an address or standard output. ``packed`` is ``.gz``, ``.zst`` or empty."""

    name: str
    format: str
    packed: str = ""

    @property
    def is_address(self) -> bool:
        return "://" in self.name

    @property
    def is_text(self) -> bool:
        return self.format in _ACCEPT

    @property
    def accept(self) -> str:
        """What workers are asked to write."""
        return _ACCEPT.get(self.format, ARROW)

    @property
    def is_stream(self) -> bool:
        """It cannot be replaced as a whole: standard output, a pipe, a device."""
        if self.name == STDOUT:
            return True
        return not self.is_address and os.path.exists(self.name) and not os.path.isfile(self.name)

    @property
    def is_plain(self) -> bool:
        """The answers stand there just as workers wrote them."""
        return self.is_text and not self.packed


def of(name: str, format: str | None = None) -> Output:
    """The output of this name; ``format`` is what its ending does not say."""
    stem, ending = os.path.splitext(name)
    packed = ""
    if ending.lower() in inputs.PACKED:
        packed, ending = ending.lower(), os.path.splitext(stem)[1]
    found = format or ENDINGS.get(ending, "csv")
    if packed and found in ("parquet", "arrow", "arrow-stream"):
        raise SettingsError(
            f"--output {name}: {found} is compressed inside. Leave {packed} out of the name."
        )
    return Output(name, found, packed)


def header(output: Output, names: Sequence[str]) -> bytes:
    """What stands before the answers."""
    if output.format != "csv":
        return b""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(names)
    return out.getvalue().encode("utf-8")


def promoted(names: Sequence[str], kinds: Sequence[Sequence[str]]) -> list[str]:
    """Columns that are whole numbers in some chunks and fractions in others."""
    found = []
    for name, seen in zip(names, zip(*kinds)):
        starts = {kind[:3] for kind in seen if kind != MISSING_ROW}
        if starts & {"int", "uin"} and "flo" in starts:
            found.append(name)
    return found


def convert(output: Output, data: Path, final: Path, floats: Sequence[str]) -> None:
    """Write the file that the output is to be from the answers as workers wrote them.

    ``floats``: columns whose whole numbers are written as fractions, as they would be in one call.
    """
    if output.is_text:
        with open(data, "rb") as source, _packing(output.packed, final) as target:
            if floats and output.format == "csv":
                _write_floats(source, target, floats)
            else:
                shutil.copyfileobj(source, target, 1 << 20)
    else:
        _write_columns(output, data, final)


@contextmanager
def _packing(packed: str, final: Path) -> Iterator[Any]:
    with open(final, "wb") as plain:
        if packed == ".gz":
            with gzip.GzipFile(filename="", fileobj=plain, mode="wb", mtime=0) as file:
                yield file
        elif packed == ".zst":
            import zstandard

            with zstandard.ZstdCompressor().stream_writer(plain, closefd=False) as writer:
                yield writer
        else:
            yield plain


def _write_floats(source: BinaryIO, target: BinaryIO, floats: Sequence[str]) -> None:
    text = io.TextIOWrapper(source, "utf-8", newline="")
    out = io.TextIOWrapper(target, "utf-8", newline="", write_through=True)
    lines, writer = csv.reader(text), csv.writer(out, lineterminator="\n")
    names = next(lines)
    writer.writerow(names)
    places = [names.index(name) for name in floats]
    for line in lines:
        for place in places:
            if _WHOLE.fullmatch(line[place]):
                line[place] += ".0"
        writer.writerow(line)
    out.flush()
    out.detach()
    text.detach()


def _write_columns(output: Output, data: Path, final: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = _common(pa, data)
    writers: dict[str, Any] = {
        "parquet": lambda: parquet.ParquetWriter(final, schema),
        "arrow": lambda: pa.ipc.new_file(final, schema),
        "arrow-stream": lambda: pa.ipc.new_stream(final, schema),
    }
    with writers[output.format]() as writer:
        for batch in _batches(pa, data):
            columns = [_cast(pa, batch.column(i), field.type) for i, field in enumerate(schema)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _batches(pa: Any, data: Path) -> Iterator[Any]:
    """The record batches of the chunks, each of which is an IPC stream of its own."""
    from polyhost.batch.engine import plain_batch

    with pa.memory_map(str(data)) as file:
        size = file.size()
        while file.tell() < size:
            with pa.ipc.open_stream(file) as stream:
                yield plain_batch(stream.read_all())


def _common(pa: Any, data: Path) -> Any:
    """The schema that all chunks fit in; InvalidOutput names a column that does not.

    A column that holds nothing in a chunk fits any type.
    """
    names: list[str] = []
    seen: list[set[Any]] = []
    for batch in _batches(pa, data):
        names = names or batch.schema.names
        seen = seen or [set() for _ in names]
        for kinds, column in zip(seen, batch.columns):
            if column.null_count < len(column):
                kinds.add(column.type)
    fields = [pa.field(name, _one_type(pa, name, kinds)) for name, kinds in zip(names, seen)]
    return pa.schema(fields)


def _one_type(pa: Any, name: str, kinds: set[Any]) -> Any:
    if len(kinds) > 1 and all(pa.types.is_floating(k) or pa.types.is_integer(k) for k in kinds):
        return pa.float64()
    if len(kinds) > 1:
        raise InvalidOutput(
            f"column {name!r} is {' and '.join(sorted(map(str, kinds)))} in different chunks: "
            "expected one type. Write CSV, or give the column one type in the model."
        )
    return next(iter(kinds), pa.null())


def _cast(pa: Any, array: Any, kind: Any) -> Any:
    return array if array.type == kind else array.cast(kind)


def publish_stream(path: Path, name: str) -> None:
    """Copy a finished file to standard output, a pipe or a device."""
    with open(path, "rb") as file:
        if name == STDOUT:
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
            sys.stdout.buffer.flush()
        else:
            with open(name, "wb") as target:
                shutil.copyfileobj(file, target, 1 << 20)


def upload(path: Path, address: str) -> None:
    """Put a finished file at an address: it is there as a whole, or not at all."""
    system, place = inputs.file_system(address)
    protocol = system.protocol if isinstance(system.protocol, str) else system.protocol[0]
    if protocol in ("file", "local"):
        aside = f"{place}.polyhost-new"
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copyfile(path, aside)
        os.replace(aside, place)
    else:
        system.put_file(str(path), place)


def exists(address: str) -> bool:
    """Whether an object is at an address."""
    system, place = inputs.file_system(address)
    return bool(system.exists(place))
