"""Running commands and saying so: what the set-up, test and check scripts share."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".setup"
VENV = ROOT / ".venv"
CI = os.environ.get("CI", "").lower() not in ("", "0", "false")


class StepFailed(Exception):
    """A step cannot be done; the message says what and what to do."""


def say(message: str) -> None:
    """One line for the person who waits."""
    print(f"[polyhost] {message}", file=sys.stderr, flush=True)


def works(*command: str) -> bool:
    """Whether a command is there and exits with 0."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def output(*command: str) -> str:
    """What a command prints; empty when it is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def step(what: str, *commands: list[str], log: str) -> None:
    """Run commands with their output in a log, which is shown if one fails."""
    say(what)
    STATE.mkdir(exist_ok=True)
    path = STATE / f"{log}.log"
    started = time.monotonic()
    with path.open("w") as file:
        for command in commands:
            print(f"$ {shlex.join(command)}", file=file, flush=True)
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=ROOT, check=False
            ).returncode
            if code:
                tail = "\n".join(path.read_text(errors="replace").splitlines()[-40:])
                raise StepFailed(f"{what} failed with exit code {code}; the end of {path}:\n{tail}")
    say(f"{what}: done in {time.monotonic() - started:.0f} s")


def once(name: str, inputs: str, act: Callable[[], None], *, made: Path = ROOT) -> None:
    """Act unless it was done before with the same inputs, and what it made is still there."""
    stamp = STATE / f"{name}.stamp"
    key = hashlib.sha256(inputs.encode()).hexdigest()
    if made.exists() and stamp.exists() and stamp.read_text() == key:
        return
    stamp.unlink(missing_ok=True)
    act()
    STATE.mkdir(exist_ok=True)
    stamp.write_text(key)


def contents(paths: Iterable[Path]) -> str:
    """A digest of files and of all files below folders, names included."""
    whole = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in (file for file in files if file.is_file()):
            data = file.read_bytes()
            whole.update(f"{file.relative_to(ROOT)}\0{len(data)}\0".encode() + data)
    return whole.hexdigest()


@contextmanager
def locked() -> Iterator[None]:
    """Let one set-up at a time work on this checkout."""
    import fcntl

    STATE.mkdir(exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
