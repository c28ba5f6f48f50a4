"""What a version is made from: a folder, an archive, an address, or what a tracking server names.

Each way reads a source into a :class:`~polyhost.store.draft.Draft`, which checks every name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from polyhost.errors import SourceError
from polyhost.store.archives import ARCHIVES, add_archive
from polyhost.store.draft import BYTECODE, Draft, refused
from polyhost.store.tracked import Tracked, fill_from_artifacts, local_path
from polyhost.tracking import name_of as name_of_tracked
from polyhost.tracking.uri import ARTIFACTS, is_tracked


def fill(draft: Draft, source: str | Tracked) -> None:
    """Read a source into the draft; SourceError when it is none, damaged or unsafe."""
    if isinstance(source, Tracked):
        _from_tracked(draft, source)
        return
    path = local_path(source)
    if path is None:
        from polyhost.store.addresses import fill_from_address

        fill_from_address(draft, source)
    else:
        _from_path(draft, path.absolute(), source)


def is_address(source: str) -> bool:
    """The source is not a path of this machine: it has to go through the store."""
    return "://" in source or is_tracked(source)


def _from_tracked(draft: Draft, source: Tracked) -> None:
    uri = source.location.uri
    if uri.startswith(ARTIFACTS):
        fill_from_artifacts(draft, uri, source.backend)
        return
    path = local_path(uri)
    if path is not None and not path.exists():
        raise SourceError(
            f"{source.source} lies at {path}, which is not there: {source.backend.shown} keeps it on "
            "a disk of its own. Start that server with --serve-artifacts, or keep artifacts where "
            "both can read them.",
            source=source.source,
        )
    fill(draft, uri)


def _from_path(draft: Draft, path: Path, source: str) -> None:
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
    if is_tracked(source):
        return name_of_tracked(source)
    plain = source.partition("#sha256=")[0]
    if "://" in plain:
        plain = plain.partition("?")[0]
    last = plain.rstrip("/").rpartition("/")[2]
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
