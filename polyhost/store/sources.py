"""What a version is made from: a folder, an archive, or an address that fsspec knows.

Each way reads a source into a :class:`~polyhost.store.draft.Draft`, which checks every name.
"""

from __future__ import annotations

import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from polyhost.errors import RuntimeUnavailable, SourceError
from polyhost.store.draft import BYTECODE, Draft

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
"""What the archive modules raise for bytes that are no archive, or one that they cannot read."""


def fill(draft: Draft, source: str) -> None:
    """Read a source into the draft; SourceError when it is none, damaged or unsafe."""
    scheme, colon, rest = source.partition("://")
    if colon and scheme != "file":
        _from_address(draft, source)
        return
    path = Path(rest if colon else source).absolute()
    if path.is_dir():
        _from_folder(draft, path)
    elif path.is_file():
        _from_archive(draft, path, path.name)
    else:
        raise SourceError(
            f"no source at {path}: expected a folder, or an archive ({', '.join(ARCHIVES)}); "
            "found nothing.",
            source=source,
        )


def name_of(source: str) -> str:
    """What a version is called when nobody says: the last part of its source."""
    last = source.rstrip("/").rpartition("/")[2]
    ending = next((end for end in sorted(ARCHIVES, key=len)[::-1] if last.endswith(end)), "")
    return last[: len(last) - len(ending)] if ending else last


def is_archive(name: str) -> bool:
    """A file of this name is read as an archive."""
    return name.lower().endswith(ARCHIVES)


def _from_folder(draft: Draft, folder: Path) -> None:
    root = folder.resolve()
    for place, folders, files in os.walk(root, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if name != BYTECODE)
        inside = Path(place).relative_to(root)
        for name in folders:
            if (Path(place) / name).is_symlink():
                raise _refused(str(inside / name), "a link to a folder", "the folder itself")
            draft.add_folder(str(inside / name))
        for name in sorted(files):
            _add_local(draft, root, inside / name)


def _unreadable(error: OSError) -> None:
    raise error


def _add_local(draft: Draft, root: Path, name: Path) -> None:
    """A file, or a link to a file of the same folder; a link that leads out is refused."""
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise _refused(str(name), f"a link to {path}, outside the folder", "the file itself")
    try:
        # Not blocking: opening a pipe would wait for its other end.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SourceError(f"cannot read {root / name}: {error.strerror}.") from error
    with open(fd, "rb") as file:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            raise _refused(str(name), "a device, pipe or socket", "a file")
        draft.add_file(name.as_posix(), file, executable=bool(mode & 0o100))


def _from_archive(draft: Draft, path: Path, name: str) -> None:
    read: Callable[[Draft, Path], None]
    if name.lower().endswith(ZIP):
        read = _from_zip
    elif name.lower().endswith(TAR):
        read = _from_tar
    else:
        raise SourceError(
            f"{name} is no archive: expected a folder, or a file ending in {', '.join(ARCHIVES)}.",
            source=str(path),
        )
    try:
        read(draft, path)
    except DAMAGED as error:
        raise SourceError(
            f"cannot read the archive {name}: {type(error).__name__}: {error}. "
            "Make it again, or copy it again.",
            source=str(path),
        ) from error
    draft.lift()


def _from_zip(draft: Draft, path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16
            if member.is_dir():
                draft.add_folder(member.filename)
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise _refused(member.filename, "a link or a device", "a file")
            else:
                with archive.open(member) as file:
                    draft.add_file(member.filename, file, executable=bool(mode & 0o100))


def _from_tar(draft: Draft, path: Path) -> None:
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            if member.isdir():
                draft.add_folder(member.name)
            elif not member.isreg():
                raise _refused(member.name, "a link or a device", "a file")
            else:
                file = archive.extractfile(member)
                assert file is not None
                draft.add_file(member.name, file, executable=bool(member.mode & 0o100))


def _from_address(draft: Draft, address: str) -> None:
    system, path = _open_address(address)
    try:
        if system.isdir(path):
            _from_remote_folder(draft, system, path)
        else:
            _from_remote_archive(draft, system, path)
    except FileNotFoundError as error:
        raise SourceError(f"no source at {address}: found nothing.", source=address) from error


def _open_address(address: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise RuntimeUnavailable(
            f"{address} cannot be read: {error}. Needed: pip install 'polyhost[remote]', and "
            "fsspec's package for this kind of address (s3fs, gcsfs, adlfs)."
        ) from error
    try:
        found: tuple[Any, str] = url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise SourceError(f"cannot read {address}: {error}.", source=address) from error
    return found


def _from_remote_folder(draft: Draft, system: Any, folder: str) -> None:
    start = len(folder.rstrip("/")) + 1
    for path, facts in sorted(system.find(folder, withdirs=True, detail=True).items()):
        if facts["type"] == "directory":
            draft.add_folder(path[start:].rstrip("/"))
        else:
            with system.open(path, "rb") as file:
                draft.add_file(path[start:], file)


def _from_remote_archive(draft: Draft, system: Any, path: str) -> None:
    draft.expect_fits(system.size(path) or 0)
    local = draft.folder.with_name("download")
    system.get_file(path, str(local))
    _from_archive(draft, local, path.rpartition("/")[2])
    local.unlink()


def _refused(name: str, found: str, expected: str) -> SourceError:
    return SourceError(
        f"{name!r} is {found}: expected files and folders only. Put {expected} there.",
        name=name,
    )
