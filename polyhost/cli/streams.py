"""Standard streams that are closed, full or no longer read: an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

FAILED = 1
NO_READER = 141
"""Exit code when nobody reads standard output any more; what shells report for SIGPIPE."""


def guarded(work: Callable[[], int]) -> int:
    """The exit code of a command, once all that it printed is written."""
    open_missing()
    try:
        code = work()
    except SystemExit as ended:  # argparse
        code = exit_code(ended)
    except OSError as error:
        code = failed(error)
    return finish(code)


def exit_code(ended: SystemExit) -> int:
    """What the process would end with."""
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    _print(str(ended.code))
    return FAILED


def failed(error: OSError) -> int:
    """Print an error of the system; the exit code that goes with it."""
    if isinstance(error, BrokenPipeError):
        return NO_READER
    place = f"{error.filename}: " if error.filename else ""
    _print(f"polyhost: {place}{error.strerror or error}")
    return FAILED


def finish(code: int) -> int:
    """Write what is still buffered; ``code``, or another when that is not possible."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        _discard(1)
        if not isinstance(error, BrokenPipeError):
            reason = getattr(error, "strerror", None) or error
            _print(f"polyhost: cannot write to standard output: {reason}")
        code = code or (NO_READER if isinstance(error, BrokenPipeError) else FAILED)
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        _discard(2)
    return code


def open_missing() -> None:
    """Put something in the place of closed standard streams, so that no other file gets there.

    Reading finds the end; writing to standard output fails when the output is written.
    """
    for fd, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            opened = os.open(os.devnull, flags)  # the lowest that is free: this one
            os.set_inheritable(opened, True)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or _writer(1)
    sys.stderr = sys.stderr or _writer(2)


def _writer(fd: int) -> TextIO:
    return open(fd, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def _print(text: str) -> None:
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def _discard(fd: int) -> None:
    """Have nothing go wrong a second time when the interpreter writes the rest."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, fd)
    os.close(null)
