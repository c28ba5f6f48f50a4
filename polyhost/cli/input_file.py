"""The file that ``polyhost score`` reads: unpacked, in UTF-8, its fields separated by commas."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from polyhost.errors import InvalidInput, SettingsError
from polyhost.formats import csv_dialect

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
PACKED = (".gz", ".zst")
"""Endings of a compressed file, after the one that names its format."""


def read(path: Path, delimiter: str = ",", charset: str | None = None) -> bytes:
    """The bytes of a table's file. A compressed file is known by how it begins.

    ``delimiter`` and ``charset`` are those of a CSV file; InvalidInput names what is wrong.
    """
    data = unpacked(path)
    if charset is not None:
        data = _recoded(data, path, charset)
    if delimiter != ",":
        try:
            data = csv_dialect.with_commas(data, delimiter)
        except InvalidInput as error:
            raise InvalidInput(f"{path.name}: {error.message}") from error
    return data


def ending(path: Path) -> str:
    """The ending that names the format, past one of compression: ``.arrow`` of ``a.arrow.gz``."""
    return Path(path.stem).suffix if path.suffix.lower() in PACKED else path.suffix


def unpacked(path: Path) -> bytes:
    """The bytes of a file, unpacked where it is gzip or zstd."""
    data = path.read_bytes()
    try:
        if data.startswith(_GZIP):
            return gzip.decompress(data)
        if data.startswith(_ZSTD):
            import pyarrow as pa

            with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
                return bytes(stream.read())
    except (EOFError, OSError, zlib.error) as error:
        raise InvalidInput(
            f"{path.name} cannot be unpacked: {error}. It is cut off or damaged: compress it again."
        ) from error
    return data


def _recoded(data: bytes, path: Path, charset: str) -> bytes:
    try:
        return data.decode(charset).lstrip("\ufeff").encode("utf-8")
    except LookupError:
        raise SettingsError(
            f"--charset {charset!r} is not known: expected the name of an encoding, such as "
            "latin-1, cp1252 or utf-16."
        ) from None
    except UnicodeDecodeError as error:
        found = data[error.start : error.start + 8]
        raise InvalidInput(
            f"{path.name} is not in {charset}: found {found!r} at offset {error.start}. Give the "
            "encoding that the file was written in."
        ) from error
