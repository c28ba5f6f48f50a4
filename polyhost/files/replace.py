"""Files that are replaced as a whole: a reader, a full disk or a kill finds the old one or the new.

The new content is written to a file without a name beside the old one, made durable, and renamed
over it. Where the file system knows no files without a name, the new file has a hidden one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
import uuid
from pathlib import Path
from typing import BinaryIO, Iterator, Optional

_NO_UNNAMED = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)
_NO_FOLDER = (errno.EACCES, errno.EPERM, errno.EROFS)


def write_whole(path: Path, data: bytes, *, mode: Optional[int] = None) -> None:
    """Replace a file by these bytes, or create it; OSError leaves it as it was."""
    with replacing(path, mode=mode) as file:
        file.write(data)


def copy_whole(source: Path, target: Path) -> None:
    """Replace a file by a copy of another, its permissions too."""
    with open(source, "rb") as file, replacing(target, mode=_mode(file)) as new:
        shutil.copyfileobj(file, new)


def _mode(file: BinaryIO) -> int:
    return stat.S_IMODE(os.fstat(file.fileno()).st_mode)


@contextlib.contextmanager
def replacing(path: Path, *, mode: Optional[int] = None) -> Iterator[BinaryIO]:
    """A file to write that takes the place of ``path`` once the block has ended without an error.

    Permissions are those of the file before it, or ``mode``. Written in place, since nothing else
    is possible: a device, a pipe, our own standard output, a file that something is mounted on,
    and a file in a folder that is closed to us.
    """
    if _only_in_place(path):
        with open(path, "wb") as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    try:
        aside = _Aside(target)
    except OSError as error:
        if error.errno not in _NO_FOLDER or not os.access(target, os.W_OK):
            raise
        with open(target, "wb") as file:
            yield file
        return
    try:
        yield aside.file
        aside.finish(mode)
    finally:
        aside.close()


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class _Aside:
    """The new file, beside the one that it will replace."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._hidden = target.with_name(f".{target.name[:200]}.{uuid.uuid4().hex[:8]}.new")
        self._named = False
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            fd = os.open(target.parent, flags | os.O_TMPFILE, 0o666)
        except OSError as error:
            if error.errno not in _NO_UNNAMED:
                raise
            fd = os.open(self._hidden, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
            self._named = True
        self.file = open(fd, "w+b")  # noqa: SIM115  closed by close()

    def finish(self, mode: Optional[int]) -> None:
        """Make the content durable, and put it in the place of the old."""
        self.file.flush()
        self._copy_permissions(mode)
        os.fsync(self.file.fileno())
        if not self._named:
            # With a dir_fd, os.link follows the link below /proc; without, it does not.
            place = f"/proc/self/fd/{self.file.fileno()}"
            os.link(place, self._hidden, src_dir_fd=self.file.fileno())
            self._named = True
        try:
            os.replace(self._hidden, self._target)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            self._write_in_place()  # something is mounted there, as a container has it
            return
        self._named = False
        sync_folder(self._target.parent)

    def _copy_permissions(self, mode: Optional[int]) -> None:
        try:
            old = os.stat(self._target)
        except FileNotFoundError:
            if mode is not None:
                os.fchmod(self.file.fileno(), mode)
            return
        with contextlib.suppress(PermissionError):
            os.fchown(self.file.fileno(), old.st_uid, old.st_gid)
        os.fchmod(self.file.fileno(), stat.S_IMODE(old.st_mode) if mode is None else mode)

    def _write_in_place(self) -> None:
        self.file.seek(0)
        with open(self._target, "wb") as file:
            shutil.copyfileobj(self.file, file)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written is not flushed either
            self.file.close()
        if self._named:
            with contextlib.suppress(FileNotFoundError):
                self._hidden.unlink()


def _only_in_place(path: Path) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode):
        return True
    return any(_is_open_as(stream, found) for stream in (sys.stdout, sys.stderr))


def _is_open_as(stream: object, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), found)  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
