"""Versions on disk: made aside, published by one rename, held while used, collected by age.

```
ROOT/lock                            held for a moment by whoever publishes, holds or collects
ROOT/making/ID/, ID.lock             a version while it is made; its lock ends with its maker
ROOT/versions/NAME/DIGEST/content/   the version: read-only files and folders
                         /facts.json
                         /lock       shared by its users; its time is that of the last use
```

Every lock is the kernel's (flock), so that a killed process leaves none; what it was making is
swept by the next. Nothing outside ``content`` is part of a version.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from polyhost.errors import SettingsError, SourceError, StoreError, TrackingUnreachable
from polyhost.files.locks import HeldLock, locked, take
from polyhost.files.replace import sync_folder, write_whole
from polyhost.settings import MODEL_NAME
from polyhost.store.addresses import shown
from polyhost.store.draft import BYTECODE, Draft, digest_of, remove
from polyhost.store.sources import fill, name_of
from polyhost.store.tracked import Tracked
from polyhost.tracking import Access, is_tracked, open_backend

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Version:
    """An immutable version of a model. ``path`` is its code dir; ``digest`` its SHA-256 (hex).

    ``label``: what the registry that it came from calls it; empty for other sources.
    """

    name: str
    digest: str
    path: Path
    label: str = field(default="", compare=False)

    @property
    def home(self) -> Path:
        """The folder of the version itself, which holds the code dir."""
        return self.path.parent


@dataclass(frozen=True)
class Facts:
    """What is noted beside a version: its source, bytes, and when it was made (epoch seconds).

    ``origin``: the registered version that it is of, with its server; ``label``: what that is
    called there. Both are empty for other sources.
    """

    source: str
    bytes: int
    made: float
    origin: str = ""
    label: str = ""


class Store:
    """A folder of versions, shared by any number of processes.

    ``quota``: bytes of content; None: unlimited. What this object added or held stays until it
    is released or the store is closed; the rest may be collected.
    """

    def __init__(self, root: Path, quota: int | None = None) -> None:
        self.root = Path(root).absolute()
        self.quota = quota
        self._held: dict[Version, HeldLock] = {}
        for folder in (self._making, self._versions):
            folder.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release all that is held."""
        for version in tuple(self._held):
            self.release(version)

    def add(self, source: str | Path | Tracked, name: str | None = None) -> Version:
        """The version that a source makes, held by us; the one that is there when it is the same.

        A registered version of a tracking server that is here already is not read again. Where
        that server cannot be reached, the version made last of the same address is used.
        SourceError: the source is missing, damaged or unsafe. StoreError: no room.
        """
        text = source.source if isinstance(source, Tracked) else str(source)
        name = _checked_name(name or name_of(text))
        if isinstance(source, Tracked):
            return self._add_tracked(source, name)
        if is_tracked(text):
            with contextlib.closing(open_backend(Access.of(os.environ))) as backend:
                try:
                    tracked = Tracked.of(text, backend)
                except TrackingUnreachable as error:
                    return self._last_of(text, name, error)
                return self._add_tracked(tracked, name)
        if "://" not in text and self.root.is_relative_to(Path(text).resolve()):
            raise SourceError(f"{text} holds the store itself ({self.root}). Move one of them.")
        return self._make(text, name, text)

    def _add_tracked(self, source: Tracked, name: str) -> Version:
        made = self._of_origin(source, name) or self._make(source, name, source.source)
        return replace(made, label=source.label)

    def _last_of(self, source: str, name: str, error: TrackingUnreachable) -> Version:
        """The version made last of a source whose server cannot be reached; else that error."""
        for version in reversed(self.versions(name)):
            with contextlib.suppress(StoreError):
                facts = self.facts(version)
                if facts.source == source:
                    held = replace(self.hold(version), label=facts.label)
                    logger.warning(
                        "%s: using the version of it that is in the store: %s", source, error
                    )
                    return held
        raise error

    def _of_origin(self, source: Tracked, name: str) -> Version | None:
        """The version that was made of the same registered version, held by us."""
        for version in self.versions(name) if source.origin else ():
            with contextlib.suppress(StoreError):  # damaged, or collected meanwhile
                if self.facts(version).origin == source.origin:
                    return self.hold(version)
        return None

    def _make(self, source: str | Tracked, name: str, text: str) -> Version:
        with self._place_to_make() as place:
            try:
                draft = Draft(place / "content", self.quota)
                fill(draft, source)
                digest = draft.finish()
            except OSError as error:
                raise StoreError(
                    f"cannot make a version of {shown(text)} in {self.root}: "
                    f"{error.strerror or error}. Look at the space left and the permissions there.",
                    source=shown(text),
                ) from error
            origin, label = "", ""
            if isinstance(source, Tracked):
                origin, label = source.origin, source.label
            _write_facts(place, Facts(shown(text), draft.bytes, time.time(), origin, label))
            version = self._publish(place, name, digest, draft.bytes)
        self._sweep()
        return version

    def versions(self, name: str | None = None) -> tuple[Version, ...]:
        """Versions of one name, or of all; the last used comes last."""
        homes = self._versions.glob(f"{_checked_name(name) if name else '*'}/*")
        found = [(used, home) for home in homes if (used := _last_use(home)) is not None]
        return tuple(_version_at(home) for _, home in sorted(found))

    def facts(self, version: Version) -> Facts:
        """What is noted beside a version."""
        try:
            found: dict[str, Any] = json.loads((version.home / "facts.json").read_bytes())
            return Facts(**found)
        except (OSError, ValueError, TypeError) as error:
            raise _damaged(version, f"its facts cannot be read ({error})") from error

    def hold(self, version: Version) -> Version:
        """Keep a version from being collected; StoreError when it is gone."""
        with locked(self._lock):
            return self._hold(version)

    @property
    def held(self) -> tuple[Version, ...]:
        """What :meth:`add` or :meth:`hold` gave and was not released."""
        return tuple(self._held)

    def release(self, version: Version) -> None:
        """Let a version go that :meth:`add` or :meth:`hold` gave; it stays until collected."""
        held = self._held.pop(version, None)
        if held is not None:
            with contextlib.suppress(FileNotFoundError):  # the store itself was removed
                _note_use(version)
            held.release()

    def verify(self, version: Version) -> None:
        """StoreError when the content is no longer what it was made of.

        Bytecode that a run left there is removed first, since nothing vouches for it.
        """
        try:
            _remove_bytecode(version.path)
            found = digest_of(version.path)
        except (OSError, SourceError) as error:
            raise _damaged(version, str(error)) from error
        if found != version.digest:
            raise _damaged(version, f"its digest is now {found}")

    def collect(self) -> tuple[Version, ...]:
        """Remove the longest unused versions that are not held, down to the quota; return those."""
        with locked(self._lock):
            gone = self._make_room(0)
        self._sweep()
        return gone

    @property
    def used(self) -> int:
        """Bytes of content, over all versions."""
        return sum(map(self._size, self.versions()))

    @property
    def _lock(self) -> Path:
        return self.root / "lock"

    @property
    def _making(self) -> Path:
        return self.root / "making"

    @property
    def _versions(self) -> Path:
        return self.root / "versions"

    @contextlib.contextmanager
    def _place_to_make(self) -> Iterator[Path]:
        with locked(self._lock):  # no sweep comes between creating the lock and taking it
            place, held = self._place()
        try:
            place.mkdir()
            yield place
        finally:
            _clear(place, held)

    def _place(self) -> tuple[Path, HeldLock]:
        place = self._making / uuid.uuid4().hex
        held = take(_lock_of(place))
        assert held is not None
        return place, held

    def _publish(self, place: Path, name: str, digest: str, size: int) -> Version:
        version = _version_at(self._versions / name / digest)
        (place / "lock").touch(mode=0o600)
        with locked(self._lock):
            if not version.home.exists():
                self._make_room(size)
                version.home.parent.mkdir(exist_ok=True)
                sync_folder(place)
                os.rename(place, version.home)
                sync_folder(version.home.parent)
                sync_folder(self._versions)
            return self._hold(version)

    def _hold(self, version: Version) -> Version:
        if version not in self._held:
            if not version.path.is_dir():
                raise StoreError(
                    f"version {version.digest} of {version.name!r} is not in the store at "
                    f"{self.root}: it was collected. Add its source again.",
                    digest=version.digest,
                )
            held = take(version.home / "lock", shared=True)
            assert held is not None
            self._held[version] = held
        _note_use(version)
        return version

    def _make_room(self, size: int) -> tuple[Version, ...]:
        """Collect until ``size`` more bytes fit; under the lock."""
        if self.quota is None:
            return ()
        gone: list[Version] = []
        excess = self.used + size - self.quota
        for version in self.versions():
            if excess <= 0:
                break
            length = self._size(version)
            if self._discard(version):
                gone.append(version)
                excess -= length
        if size and excess > 0:
            raise StoreError(
                f"the store at {self.root} is full: expected room for {size} bytes within its "
                f"quota of {self.quota}; {excess} are missing, and all that is left is in use. "
                "Raise the quota, or unload a model.",
                quota=self.quota,
            )
        return tuple(gone)

    def _size(self, version: Version) -> int:
        """Bytes of a version: those noted, or counted where the note is damaged."""
        try:
            return self.facts(version).bytes
        except StoreError:
            return sum(path.lstat().st_size for path in version.path.rglob("*"))

    def _discard(self, version: Version) -> bool:
        """Remove a version unless it is held. It is renamed first, so that half of it is never seen."""
        user = take(version.home / "lock", wait=False)
        if user is None:
            return False
        place, held = self._place()
        os.rename(version.home, place)
        held.release()
        user.release()
        return True

    def _sweep(self) -> None:
        """Remove what killed processes were making, and what was discarded."""
        with locked(self._lock):
            places = [path.with_suffix("") for path in self._making.glob("*.lock")]
            ours = [(place, take(_lock_of(place), wait=False)) for place in places]
        for place, held in ours:
            if held is not None:
                _clear(place, held)


def default_store() -> Path:
    """The root of the store in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "polyhost" / "store"


def _lock_of(place: Path) -> Path:
    return place.with_name(place.name + ".lock")


def _clear(place: Path, held: HeldLock) -> None:
    """Remove a place of making; its lock goes last, so that a killed removal is taken up again."""
    try:
        if place.exists():
            remove(place)
        _lock_of(place).unlink(missing_ok=True)
    finally:
        held.release()


def _version_at(home: Path) -> Version:
    return Version(home.parent.name, home.name, home / "content")


def _note_use(version: Version) -> None:
    now = time.time_ns()  # finer than the clock that the kernel stamps files with
    os.utime(version.home / "lock", ns=(now, now))


def _last_use(home: Path) -> int | None:
    """When it was last used; None when it was collected just now."""
    try:
        return (home / "lock").stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _checked_name(name: str) -> str:
    if not MODEL_NAME.fullmatch(name):
        raise SettingsError(
            f"wrong model name {name!r}: expected letters, digits, '_', '-' and '.', up to 128. "
            "Give another."
        )
    return name


def _write_facts(place: Path, facts: Facts) -> None:
    write_whole(place / "facts.json", json.dumps(asdict(facts)).encode("utf-8"))


def _remove_bytecode(folder: Path) -> None:
    for found in [path for path in folder.rglob(BYTECODE) if path.is_dir()]:
        mode = found.parent.stat().st_mode
        found.parent.chmod(0o700)
        remove(found)
        found.parent.chmod(mode)


def _damaged(version: Version, why: str) -> StoreError:
    return StoreError(
        f"version {version.digest} of {version.name!r} is damaged: {why}. "
        f"Remove {version.home} and add its source again.",
        digest=version.digest,
    )
