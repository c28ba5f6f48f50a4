"""A model's folder on its way to other machines: packed once, unpacked once on each of them.

The machine that starts a job packs the folder (:func:`pack`); the engine carries the archive; each
process that predicts asks :func:`unpack` for the folder. It lies in the machine's store under the
digest of its content, so that processes share it and a later job finds it.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from polyhost.errors import SourceError, StoreError
from polyhost.store import Store
from polyhost.store.store import default_store

Fetch = Callable[[str], "str | os.PathLike[str]"]
"""Return the path of an archive on this machine, by its file name."""


@dataclass(frozen=True)
class Shipment:
    """A packed model. Plain data: it crosses to other machines inside functions and actors."""

    name: str
    digest: str

    @property
    def file_name(self) -> str:
        """The archive's; it differs for each content."""
        return f"polyhost-{self.name}-{self.digest[:20]}.tar"


def pack(source: str, folder: Path) -> tuple[Shipment, Path]:
    """Write the archive of a model (a folder, an archive or an address) into ``folder``."""
    with open_store() as store:
        version = store.add(source)
        shipment = Shipment(version.name, version.digest)
        archive = folder / shipment.file_name
        with tarfile.open(archive, "w") as tar:
            tar.add(version.path, arcname=".", filter=_plain)
    return shipment, archive


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """A member without its owner and time; None for bytecode, which a run may have left there."""
    if "__pycache__" in Path(member.name).parts:
        return None
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


_lock = threading.Lock()
_stores: list[Store] = []


def unpack(shipment: Shipment, fetch: Fetch) -> Path:
    """The folder of a model that was packed, held for as long as this process lives."""
    with _lock:
        if not _stores:
            _stores.append(open_store())
        store = _stores[0]
        for version in store.versions(shipment.name):
            if version.digest == shipment.digest:
                return store.hold(version).path
        version = store.add(str(fetch(shipment.file_name)), shipment.name)
    if version.digest != shipment.digest:
        raise SourceError(
            f"the archive {shipment.file_name} holds {version.digest}, expected {shipment.digest}: "
            "it was damaged on its way. Start the job again.",
            expected=shipment.digest,
            found=version.digest,
        )
    return version.path


def open_store() -> Store:
    """The user's store; one in the folder for temporary files where there is no home to write in."""
    try:
        return Store(default_store())
    except (OSError, RuntimeError, StoreError):
        folder = Path(tempfile.gettempdir(), f"polyhost-{os.getuid()}")
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise StoreError(f"{folder} belongs to another user. Set XDG_CACHE_HOME.") from None
        return Store(folder / "store")


def as_text(source: Any) -> str:
    """A source as text: an address as it is, a path made absolute."""
    text = os.fspath(source)
    return text if "://" in text else str(Path(text).absolute())
