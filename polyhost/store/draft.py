"""A version while it is made: files written one by one, counted, hashed and made durable."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

from polyhost.errors import SourceError, StoreError
from polyhost.files.replace import sync_folder

BLOCK = 1 << 20
BYTECODE = "__pycache__"
"""Made by whoever runs a version, never part of it."""

MOST_FILES = 100_000


class Reader(Protocol):
    """What a file's bytes come from."""

    def read(self, size: int, /) -> bytes: ...


class Draft:
    """The content of a version to be, in a folder of its own.

    Names are relative POSIX paths; one that leaves the folder, or comes twice, is a SourceError.
    ``most`` bounds the bytes that are really written, whatever a header says.
    """

    def __init__(self, folder: Path, most: int | None = None) -> None:
        self.folder = folder
        self.bytes = 0
        self._most = most
        self._bound: tuple[int, str] | None = None
        self._made: dict[str, bytes | None] = {}
        folder.mkdir(mode=0o700)

    def add_folder(self, name: str) -> None:
        """Add a folder and its parents; one that exists already is accepted."""
        parts = checked(name).parts
        for depth in range(1, len(parts) + 1):
            self._add_one_folder("/".join(parts[:depth]))

    def add_file(self, name: str, source: Reader, *, executable: bool = False) -> None:
        """Write a file from its start to its end, and the folders it is in."""
        path = checked(name)
        if not path.parts:
            raise SourceError(f"unsafe name {name!r}: expected a file's name. Make it again.")
        if BYTECODE in path.parts:
            return
        self.add_folder(str(path.parent))
        self._expect_room(str(path))
        if str(path) in self._made:
            raise SourceError(
                f"{name!r} is there twice: expected each file once. Make the archive again."
            )
        target = self.folder / path
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(target, flags, 0o600), "wb") as file:
            self._made[str(path)] = self._copy(source, file.write)
            file.flush()
            os.fchmod(file.fileno(), 0o555 if executable else 0o444)
            os.fsync(file.fileno())

    def finish(self) -> str:
        """Make folders read-only and durable; the digest of it all."""
        if not any(content is not None for content in self._made.values()):
            raise SourceError("the source holds no files: expected the folder of a model.")
        folders = [self.folder / name for name, content in self._made.items() if content is None]
        for folder in [*reversed(folders), self.folder]:
            folder.chmod(0o555)
            sync_folder(folder)
        return _digest(self._made)

    def expect_fits(self, size: int) -> None:
        """StoreError when this many bytes are more than the store may hold."""
        if self._most is not None and size > self._most:
            raise StoreError(
                f"the source does not fit into the store: expected at most {self._most} bytes; "
                f"found {size} or more. Raise the store's quota.",
                quota=self._most,
            )

    def bound(self, most: int, what: str) -> None:
        """Refuse content of more bytes than this; ``what`` begins the sentence that says so."""
        self._bound = most, what

    def expect(self, size: int, files: int) -> None:
        """Refuse content that is announced, before any of it is written, where it is too much."""
        self._expect_size(self.bytes + size)
        if len(self._made) + files > MOST_FILES:
            raise _too_many(f"{files} more")

    def _expect_size(self, size: int) -> None:
        self.expect_fits(size)
        if self._bound is not None and size > self._bound[0]:
            most, what = self._bound
            raise SourceError(
                f"{what} to {size} bytes or more: expected at most {most}. Unpack it yourself and "
                "give the folder, if you trust it."
            )

    def lift(self) -> None:
        """Leave out a single folder that holds everything, as archives of a folder have it."""
        tops = {name.partition("/")[0] for name in self._made}
        if len(tops) != 1:
            return
        top = tops.pop()
        if self._made[top] is not None:
            return
        inner, outer = self.folder.with_name("lifted"), self.folder
        os.rename(outer / top, inner)
        outer.rmdir()
        os.rename(inner, outer)
        start = len(top) + 1
        self._made = {name[start:]: content for name, content in self._made.items() if name != top}

    def _add_one_folder(self, name: str) -> None:
        if name in self._made:
            if self._made[name] is not None:
                raise SourceError(f"{name!r} is both a file and a folder. Make the archive again.")
            return
        if BYTECODE in name.split("/"):
            return
        self._expect_room(name)
        (self.folder / name).mkdir(mode=0o700)
        self._made[name] = None

    def _expect_room(self, name: str) -> None:
        if len(self._made) >= MOST_FILES:
            raise _too_many(f"{name!r} is one more")

    def _copy(self, source: Reader, write: Callable[[bytes], object]) -> bytes:
        digest = hashlib.sha256()
        while block := source.read(BLOCK):
            self.bytes += len(block)
            self._expect_size(self.bytes)
            digest.update(block)
            write(block)
        return digest.digest()


def refused(name: str, found: str, expected: str) -> SourceError:
    """The error for a member that is neither a file nor a folder."""
    return SourceError(
        f"{name!r} is {found}: expected files and folders only. Put {expected} there.",
        name=name,
    )


def _too_many(found: str) -> SourceError:
    return SourceError(
        f"too many files: expected at most {MOST_FILES}; found {found}. "
        "Leave out what the model does not need."
    )


def checked(name: str) -> PurePosixPath:
    """A name inside a source as a safe relative path; SourceError when it could leave it."""
    path = PurePosixPath(name)
    unsafe = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name
    if unsafe or (path.parts and path.parts[0][1:2] == ":"):
        raise SourceError(
            f"unsafe name {name!r}: expected a path inside the source. Make the archive again, "
            "with plain relative names."
        )
    return path


def digest_of(folder: Path) -> str:
    """SHA-256 (hex) over the names and contents below a folder; anything special is an error."""
    return _digest(dict(_contents(folder)))


def remove(folder: Path) -> None:
    """Remove a folder and what is below it, read-only or not."""
    for place, _, _ in os.walk(folder):
        os.chmod(place, 0o700)
    shutil.rmtree(folder)


def _digest(contents: dict[str, bytes | None]) -> str:
    """``contents``: the SHA-256 of each file by its path; None for a folder."""
    whole = hashlib.sha256(b"polyhost version 1\n")
    for name, content in sorted((os.fsencode(name), found) for name, found in contents.items()):
        kind = b"d" if content is None else b"f"
        whole.update(kind + len(name).to_bytes(8, "big") + name + (content or b""))
    return whole.hexdigest()


def _contents(folder: Path, prefix: str = "") -> Iterator[tuple[str, bytes | None]]:
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        name = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield name, None
            yield from _contents(Path(entry.path), name + "/")
        elif stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            with open(entry.path, "rb") as file:
                digest = hashlib.sha256()
                while block := file.read(BLOCK):
                    digest.update(block)
            yield name, digest.digest()
        else:
            raise SourceError(f"{entry.path} is neither a file nor a folder.")
