"""What a version is made from: a folder, an archive, or an address that fsspec knows.

Each way reads a source into a :class:`~polyhost.store.draft.Draft`, which checks every name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from polyhost.errors import RuntimeUnavailable, SourceError
from polyhost.store.archives import ARCHIVES, add_archive
from polyhost.store.draft import BLOCK, BYTECODE, Draft, refused


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
        add_archive(draft, path, path.name)
    else:
        raise SourceError(
            f"no source at {path}: expected a folder, or an archive ({', '.join(ARCHIVES)}); "
            "found nothing.",
            source=source,
        )


def name_of(source: str) -> str:
    """Return the name of a version that was given none: the last part of its source."""
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
                _inside(root, inside / name)
                raise refused(str(inside / name), "a link to a folder", "the folder itself")
            draft.add_folder(str(inside / name))
        for name in sorted(files):
            _add_local(draft, root, inside / name)


def _unreadable(error: OSError) -> None:
    raise error


def _inside(root: Path, name: Path) -> str:
    """Where a path below the folder really is. Of a link that leads out it is not said whether
    anything is at its end."""
    path = os.path.realpath(root / name)
    if not Path(path).is_relative_to(root):
        found = f"a link to {os.readlink(root / name)}, outside the folder"
        raise refused(str(name), found, "the file itself")
    return path


def _add_local(draft: Draft, root: Path, name: Path) -> None:
    """A file, or a link to a file of the same folder; a link that leads out is refused."""
    path = _inside(root, name)
    try:
        # Not blocking: opening a pipe would wait for its other end.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SourceError(f"cannot read {root / name}: {error.strerror}.") from error
    with open(fd, "rb") as file:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            raise refused(str(name), "a device, pipe or socket", "a file")
        draft.add_file(name.as_posix(), file, executable=bool(mode & 0o100))


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
    came = 0
    with system.open(path, "rb") as remote, open(local, "xb") as file:
        while block := remote.read(BLOCK):
            came += len(block)
            draft.expect_fits(came)  # whatever the server said of its size
            file.write(block)
    add_archive(draft, local, path.rpartition("/")[2])
    local.unlink()
