"""What a run has written so far, beside its output: a kill at any moment leaves a state to go on from.

The folder holds the answers of finished chunks one after another (``data``), the rows that were
rejected (``rejects``), what the run depends on (``plan``), and a line for each finished chunk
(``journal``), which is written after its answers.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from polyhost.errors import SettingsError, StateError
from polyhost.files import locks
from polyhost.files.replace import copy_whole, sync_folder

ENDING = ".polyhost-run"
_NO_RENAME = (errno.EXDEV, errno.EBUSY, errno.EACCES, errno.EPERM)
SYNC_EVERY = 5.0
"""Seconds after which what was written is made durable."""


@dataclass(frozen=True)
class Done:
    """A finished chunk. ``mark`` recognises its input; ``data`` and ``rejects`` are the sizes of the
    files after it, ``check`` a checksum of what it added to ``data``; ``names`` and ``kinds`` are
    those of its columns (none where no row of it was answered)."""

    mark: list[int]
    rows: int
    rejected: int
    data: int
    rejects: int
    check: int
    names: list[str]
    kinds: list[str]


class RunFolder:
    """The folder of one run; no other run writes to the same output at the same time."""

    def __init__(self, output: Path, place: Path | None = None) -> None:
        self.path = place or output.with_name(output.name[:200] + ENDING)
        self._output = output
        self.done: list[Done] = []
        self._files: dict[str, BinaryIO] = {}
        self._lock: locks.HeldLock | None = None
        self._open = False
        self._synced = time.monotonic()

    def open(self, plan: Mapping[str, Any], *, resume: bool) -> None:
        """Begin, or go on where a run of the same plan ended. StateError where that cannot be."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = locks.take(self.path / "lock", wait=False)
        if self._lock is None:
            raise StateError(
                f"another run writes to {self._output}: {self.path} is in use. Wait for it, or give "
                "another --output."
            )
        kept = self.path / "plan"
        if resume and kept.exists():
            self._check_plan(json.loads(kept.read_text(encoding="utf-8")), plan)
            self.done = self._finished()
        else:
            for name in ("plan", "journal", "data", "rejects", "final"):
                (self.path / name).unlink(missing_ok=True)
            new = self.path / "plan.new"
            new.write_text(json.dumps(plan), encoding="utf-8")
            os.replace(new, kept)
        last = self.done[-1] if self.done else None
        self._open_file("data", last.data if last else 0)
        self._open_file("rejects", last.rejects if last else 0)
        lines = "".join(_line(done) for done in self.done).encode("utf-8")
        (self.path / "journal.new").write_bytes(lines)
        os.replace(self.path / "journal.new", self.path / "journal")
        self._open_file("journal", len(lines))
        self._open = True

    def _check_plan(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        now = json.loads(json.dumps(now))
        changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        if changed:
            raise StateError(
                f"--resume cannot go on with {self._output}: changed since are "
                f"{', '.join(sorted(changed))}. Give what the run began with, or leave --resume out to "
                "begin again.",
                changed=sorted(changed),
            )

    def _finished(self) -> list[Done]:
        """The chunks whose answers are there, as far as they follow each other without a gap."""
        found: list[Done] = []
        try:
            lines = (self.path / "journal").read_bytes().split(b"\n")[:-1]
            sizes = [(self.path / name).stat().st_size for name in ("data", "rejects")]
        except FileNotFoundError:
            return found
        with open(self.path / "data", "rb") as data:
            for line in lines:
                try:
                    done = Done(**json.loads(line))
                except (ValueError, TypeError):
                    break  # cut off
                start = found[-1].data if found else 0
                if done.data > sizes[0] or done.rejects > sizes[1]:
                    break
                if zlib.crc32(data.read(done.data - start)) != done.check:
                    break
                found.append(done)
        return found

    def _open_file(self, name: str, size: int) -> None:
        file = open(self.path / name, "ab")  # noqa: SIM115  closed by close()
        file.truncate(size)
        file.seek(size)
        self._files[name] = file

    def add(
        self,
        mark: list[int],
        rows: int,
        rejected: int,
        pieces: Sequence[bytes],
        rejects: bytes,
        names: Sequence[str] = (),
        kinds: Sequence[str] = (),
    ) -> None:
        """Write a chunk's answers and then note that it is finished; OSError where that fails."""
        data, reject_file, journal = (self._files[n] for n in ("data", "rejects", "journal"))
        check = 0
        for piece in pieces:
            data.write(piece)
            check = zlib.crc32(piece, check)
        data.flush()
        if rejects:
            reject_file.write(rejects)
            reject_file.flush()
        done = Done(
            mark, rows, rejected, data.tell(), reject_file.tell(), check, [*names], [*kinds]
        )
        journal.write(_line(done).encode("utf-8"))
        journal.flush()
        self.done.append(done)
        if time.monotonic() - self._synced > SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        """Make what was written durable, the journal last."""
        for name in ("data", "rejects", "journal"):
            self._files[name].flush()
            os.fdatasync(self._files[name].fileno())
        self._synced = time.monotonic()

    def close(self) -> None:
        """Let go of the folder; what no run could go on from is removed."""
        for file in self._files.values():
            try:
                file.close()
            except OSError:
                continue  # a full disk: what is not written is not in the journal either
        self._files.clear()
        if self._open and not self.done:
            shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def remove(self) -> None:
        """Remove the folder: the output is complete."""
        self.done = []
        self.close()

    def publish(self, name: str, target: Path) -> None:
        """Put a file of the folder in the place of ``target``, whole."""
        path = self.path / name
        if name in self._files:
            self._files.pop(name).close()
        with open(path, "rb") as file:
            os.fsync(file.fileno())
        target = Path(os.path.realpath(target))
        if target.exists():
            shutil.copymode(target, path)
        try:
            os.replace(path, target)
            sync_folder(target.parent)
        except OSError as error:
            if error.errno not in _NO_RENAME:
                raise
            copy_whole(path, target)  # another disk, a mounted file, a folder that is closed to us


def _line(done: Done) -> str:
    return json.dumps(asdict(done), ensure_ascii=True) + "\n"


def refuse_existing(output: Path) -> None:
    """SettingsError for an output that is there: an empty file does not count."""
    if output.is_file() and output.stat().st_size:
        raise SettingsError(f"{output} is there already. Give --overwrite to replace it.")
