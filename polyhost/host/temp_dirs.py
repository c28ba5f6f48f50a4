"""Temporary folders of workers, below one folder of the host's own.

The host holds a lock there. One that is killed cannot clean up: the next host of the same user
removes every such folder whose lock nobody holds.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Optional

from polyhost.files import locks

logger = logging.getLogger(__name__)

STARTING, RUNNING = "polyhost-starting-", "polyhost-workers-"
"""Beginnings of the folder's name, before and after its lock is held."""
LOCK = "lock"


class TempDirs:
    """Makes the folders of one host's workers. The first one makes the host's."""

    def __init__(self) -> None:
        self._root: Optional[Path] = None
        self._held: Optional[locks.HeldLock] = None

    @property
    def root(self) -> Optional[Path]:
        """The host's folder, which holds those of its workers; None before the first."""
        return self._root

    def make(self) -> str:
        """A new folder for a worker, which the worker's end removes."""
        if self._root is None:
            self._root = self._make_root()
        return tempfile.mkdtemp(dir=self._root)

    def _make_root(self) -> Path:
        made = Path(tempfile.mkdtemp(prefix=STARTING))
        self._held = locks.take(made / LOCK)
        made.chmod(0o711)  # a worker may be of another user, and reaches its own folder through it
        root = made.with_name(RUNNING + made.name[len(STARTING) :])
        made.rename(root)
        return root

    def close(self) -> None:
        """Remove the host's folder with all that is left in it."""
        root, held = self._root, self._held
        self._root = self._held = None
        if root is not None:
            shutil.rmtree(root, ignore_errors=True)
        if held is not None:
            held.release()


def clear_abandoned(wait: bool = False) -> None:
    """Remove the folders of hosts that were killed, on a thread unless ``wait``: they may be large."""
    thread = threading.Thread(target=_clear_abandoned, name="polyhost-temp", daemon=True)
    thread.start()
    if wait:
        thread.join()


def _clear_abandoned() -> None:
    try:
        found = [entry for entry in os.scandir(tempfile.gettempdir()) if _is_ours(entry)]
    except OSError as error:
        logger.debug("the temporary folder cannot be read: %s", error)
        return
    for entry in found:
        try:
            held = locks.take(Path(entry.path) / LOCK, wait=False)
        except OSError as error:
            logger.debug("%s: %s", entry.path, error)
            continue
        if held is not None:
            logger.info("removing %s: its host has ended", entry.path)
            shutil.rmtree(entry.path, ignore_errors=True)
            held.release()


def _is_ours(entry: os.DirEntry[str]) -> bool:
    """True for a folder that a host of this user made."""
    if not entry.name.startswith(RUNNING) or not entry.is_dir(follow_symlinks=False):
        return False
    return entry.stat(follow_symlinks=False).st_uid == os.geteuid()
