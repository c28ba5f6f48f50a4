"""What is scored: files, folders, globs, standard input and addresses that fsspec knows."""

from __future__ import annotations

import glob
import io
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from polyhost.errors import InvalidInput, RuntimeUnavailable, SettingsError

STDIN = "-"
PACKED = (".gz", ".zst")
FORMATS = {
    ".csv": "csv",
    ".mtx": "mtx",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
"""Formats by the ending of a name; anything else is CSV."""
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class Input:
    """One file, folder or address. ``name`` is what people call it."""

    name: str
    format: str

    @property
    def is_address(self) -> bool:
        return "://" in self.name

    @property
    def is_folder(self) -> bool:
        return not self.is_address and os.path.isdir(self.name)

    def identity(self) -> list[Any]:
        """What changes when the input does: size and time, or what an object store gives for them."""
        if self.name == STDIN:
            return [STDIN]
        if self.is_address:
            system, path = file_system(self.name)
            facts = system.info(path)
            marks = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "updated")
            return [self.name, facts.get("size"), *(str(facts[m]) for m in marks if m in facts)]
        path = os.path.realpath(self.name)
        if self.is_folder:
            files = [os.path.join(d, f) for d, _, found in os.walk(path) for f in found]
            return [path, [_marks(file) for file in sorted(files)]]
        return [path, _marks(path)]

    @property
    def size(self) -> int | None:
        """Bytes of it as it is stored; None where that is not known."""
        if self.name == STDIN:
            return None
        if self.is_address:
            system, path = file_system(self.name)
            found = system.info(path).get("size")
            return None if found is None else int(found)
        if self.is_folder:
            return sum(part.stat().st_size for part in Path(self.name).rglob("*") if part.is_file())
        return os.path.getsize(self.name)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The bytes as they are stored."""
        if self.name == STDIN:
            yield sys.stdin.buffer
        elif self.is_address:
            system, path = file_system(self.name)
            with system.open(path, "rb") as file:
                yield file
        else:
            with open(self.name, "rb") as plain:
                yield plain

    @contextmanager
    def open_unpacked(self) -> Iterator[Unpacked]:
        """The bytes, unpacked where they are gzip or zstd."""
        with self.open() as file:
            yield Unpacked(file, self.name)


def _marks(path: str) -> list[Any]:
    found = os.stat(path)
    return [os.path.basename(path), found.st_size, found.st_mtime_ns]


class Unpacked:
    """Reads a file that may be gzip or zstd; ``taken`` counts bytes of the file itself."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._counted = _Counted(file)
        self._name = name
        head = self._counted.peek(4)
        self._source: Any = self._counted
        if head.startswith(_GZIP):
            import gzip

            self._source = gzip.GzipFile(fileobj=self._counted, mode="rb")
        elif head.startswith(_ZSTD):
            import pyarrow as pa

            self._source = pa.CompressedInputStream(pa.PythonFile(self._counted, "r"), "zstd")

    @property
    def taken(self) -> int:
        return self._counted.taken

    def read(self, size: int) -> bytes:
        """So many bytes; fewer only at the end. InvalidInput where they cannot be unpacked."""
        parts, left = [], size
        while left > 0:
            try:
                part = self._source.read(left)
            except (EOFError, zlib.error, OSError) as error:
                if self._source is self._counted:
                    raise
                raise InvalidInput(
                    f"{self._name} cannot be unpacked: {error}. It is cut off or damaged: compress "
                    "it again."
                ) from error
            if not part:
                break
            parts.append(bytes(part))
            left -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class _Counted(io.RawIOBase):
    """Passes on what a file has, and counts it."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._ahead = b""
        self.taken = 0

    def readable(self) -> bool:
        return True

    def peek(self, size: int) -> bytes:
        while len(self._ahead) < size:
            more = self._file.read(size - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead

    def read(self, size: int = -1) -> bytes:
        ahead, self._ahead = self._ahead, b""
        if ahead and 0 <= size < len(ahead):
            ahead, self._ahead = ahead[:size], ahead[size:]
        more = (
            b""
            if ahead and size == len(ahead)
            else self._file.read(size - len(ahead) if size >= 0 else -1)
        )
        found = ahead + (more or b"")
        self.taken += len(found)
        return found

    def readinto(self, buffer: Any) -> int:
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


def find(names: Sequence[str], format: str | None = None) -> list[Input]:
    """The inputs of these names, in their order, globs in that of their sorted paths."""
    found = [Input(name, format or format_of(name)) for given in names for name in _expanded(given)]
    if sum(each.name == STDIN for each in found) > 1:
        raise SettingsError("--input - is there twice: standard input can be read once.")
    return found


def _expanded(given: str) -> list[str]:
    if given == STDIN or os.path.exists(given):
        return [given]
    if "://" in given:
        return _expanded_address(given)
    if not glob.has_magic(given):
        raise SettingsError(f"no file at {given!r}: expected a file, a folder or a pattern.")
    found = sorted(glob.glob(given, recursive=True))
    if not found:
        raise SettingsError(f"no file matches {given!r}. Quote the pattern, and check its folder.")
    return found


def _expanded_address(given: str) -> list[str]:
    system, path = file_system(given)
    try:
        found = sorted(system.glob(path)) if glob.has_magic(path) else [path]
        if not found or not all(system.exists(each) for each in found):
            raise SettingsError(f"nothing is at {given}: expected an object or a pattern.")
    except OSError as error:
        raise SettingsError(f"cannot read {given}: {error}.") from error
    if not glob.has_magic(path):
        return [given]
    return [system.unstrip_protocol(each) for each in found]


def format_of(name: str) -> str:
    """The format that a name's ending says, past one of compression."""
    stem, ending = os.path.splitext(name)
    if ending.lower() in PACKED:
        ending = os.path.splitext(stem)[1]
    if not ending and os.path.isdir(name):
        return "parquet"
    return FORMATS.get(ending, "parquet" if os.path.isdir(name) else "csv")


def file_system(address: str) -> tuple[Any, str]:
    """The file system that fsspec has for an address, and the path there."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise RuntimeUnavailable(
            f"{address} cannot be reached: {error}. Needed: pip install 'polyhost[remote]', and "
            "fsspec's package for this kind of address (s3fs, gcsfs, adlfs)."
        ) from error
    try:
        found: tuple[Any, str] = url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise SettingsError(f"cannot reach {address}: {error}.") from error
    return found


@contextmanager
def kept(source: Input) -> Iterator[Input]:
    """An input that can be read more than once and at any place: standard input is written to a
    temporary file first."""
    if source.name != STDIN:
        yield source
        return
    with tempfile.NamedTemporaryFile(prefix="polyhost-stdin-") as file:
        while block := sys.stdin.buffer.read(1 << 20):
            file.write(block)
        file.flush()
        yield Input(file.name, source.format)
