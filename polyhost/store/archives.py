"""Archives as sources: zip, and tar with or without compression.

Neither its list of sizes nor the length of a header is trusted. What an archive unpacks to is bounded
by its own size, so that a small file cannot fill the disk or the memory.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

from polyhost.errors import SourceError
from polyhost.store.draft import BLOCK, MOST_FILES, Draft, Reader, refused
from polyhost.store.xz import check_properties, open_xz

ZIP = (".zip",)
TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ARCHIVES = ZIP + TAR
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    MemoryError,
)
"""What the archive modules raise for bytes that are not an archive, and for one that they cannot read."""
MOST_TIMES = 200
"""How many times its own size an archive may unpack to; deflate can do 1032, bzip2 and xz more."""
ALWAYS = 64 << 20
"""Bytes that any archive may unpack to."""
MOST_AT_ONCE = 2 * BLOCK
"""Bytes that a reader of archives may ask for at once; more is a header that lies."""
SMALL = 4096
"""Compressed bytes read at once where the module unpacks all of what it read."""


def add_archive(draft: Draft, path: Path, name: str) -> None:
    """Unpack an archive into the draft; ``name``: what it was called, whose end says its kind."""
    read: Callable[[Draft, Path], None]
    if name.lower().endswith(ZIP):
        read = _from_zip
    elif name.lower().endswith(TAR):
        read = _from_tar
    else:
        raise SourceError(
            f"{name} is not an archive: expected a folder, or a file ending in {', '.join(ARCHIVES)}.",
            source=str(path),
        )
    size = path.stat().st_size
    draft.bound(_most(size), f"{name}, an archive of {size} bytes, unpacks")
    try:
        read(draft, path)
    except DAMAGED as error:
        raise SourceError(
            f"cannot read the archive {name}: {type(error).__name__}: {error}. "
            "Make it again, or copy it again.",
            source=str(path),
        ) from error
    draft.lift()


def _most(size: int) -> int:
    return max(ALWAYS, MOST_TIMES * size)


def _from_zip(draft: Draft, path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        draft.expect(sum(member.file_size for member in members), len(members))
        for member in members:
            mode = member.external_attr >> 16
            if member.is_dir():
                draft.add_folder(member.filename)
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise refused(member.filename, "a link or a device", "a file")
            else:
                if member.compress_type == zipfile.ZIP_LZMA:
                    _check_lzma(path, member)
                with archive.open(member) as file:
                    reader = _Member(file, member)
                    draft.add_file(member.filename, reader, executable=bool(mode & 0o100))


def _check_lzma(path: Path, member: zipfile.ZipInfo) -> None:
    """Refuse a member whose dictionary is too large: its properties stand before its data."""
    with open(path, "rb") as file:
        file.seek(member.header_offset + _LENGTHS)
        name, extra = struct.unpack("<HH", file.read(4))
        file.seek(name + extra + _VERSION, os.SEEK_CUR)
        check_properties(file.read(5))


_LENGTHS = 26
"""Where the lengths of a member's name and extra field stand in its header; both follow it."""
_VERSION = 4
"""Bytes of the version of LZMA, and of the length of its properties, before them."""


class _Member:
    """A file of a zip archive, which has to be as long as the archive's list says."""

    def __init__(self, file: Reader, member: zipfile.ZipInfo) -> None:
        self._file = file
        self._member = member
        self._bounded = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        self._left = member.file_size

    def read(self, size: int, /) -> bytes:
        data = self._file.read(size if self._bounded else SMALL)
        self._left -= len(data)
        if self._left < 0 or (not data and self._left):
            raise SourceError(
                f"{self._member.filename!r} is not as long as the archive's list says: expected "
                f"{self._member.file_size} bytes. Make the archive again."
            )
        return data


def _from_tar(draft: Draft, path: Path) -> None:
    with _Unpacked(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            draft.expect(member.size if member.isreg() else 0, 1)
            if member.isdir():
                draft.add_folder(member.name)
            elif not member.isreg():
                raise refused(member.name, "a link or a device", "a file")
            else:
                file = archive.extractfile(member)
                assert file is not None
                draft.add_file(member.name, file, executable=bool(member.mode & 0o100))


class _Unpacked:
    """The bytes of a tar file, unpacked; headers that are too large or too many are refused."""

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            magic = file.read(6)
        openers: dict[bytes, Callable[[Path], Any]] = {
            b"\x1f\x8b": gzip.open,
            b"BZh": bz2.open,
            b"\xfd7zXZ\0": open_xz,
        }
        found = [opener for start, opener in openers.items() if magic.startswith(start)]
        self._file = cast(BinaryIO, found[0](path) if found else open(path, "rb"))  # noqa: SIM115
        self._most = _most(path.stat().st_size) + MOST_FILES * 3 * tarfile.BLOCKSIZE

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int, /) -> bytes:
        if size > MOST_AT_ONCE:
            raise SourceError(
                f"the archive has a header of {size} bytes: expected at most {MOST_AT_ONCE}. "
                "Make it again."
            )
        if self._file.tell() > self._most:
            raise SourceError("the archive has more headers than files. Make it again.")
        return self._file.read(size)

    def seek(self, place: int, /) -> int:
        return self._file.seek(min(place, self._most + 1))

    def tell(self) -> int:
        return self._file.tell()
