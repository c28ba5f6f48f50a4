"""Guest code in a child process of the command line.

A model may exit, crash or hang, and while foreign code runs, Python's signal handlers do not. The
parent has nothing to do but wait, so it always can be interrupted, and it can report a model that
ended the process from a command that came to its end.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from polyhost.cli import streams
from polyhost.cli.report import print_error, print_interrupted
from polyhost.errors import PolyhostError, WorkerCrashed
from polyhost.wire import linux

logger = logging.getLogger(__name__)

GRACE = 2.0
"""Seconds between asking a process to end and ending it."""


def run_guarded(work: Callable[[], int], *, stacktrace: bool) -> int:
    """The exit code of ``work``, run in a child.

    Fork happens before anything that starts threads is imported. What the child leaves running
    is ended with it, and its temporary files are removed.
    """
    import shutil
    import tempfile

    temporary = tempfile.mkdtemp(prefix="polyhost-")
    try:
        return _run(work, temporary, stacktrace=stacktrace)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _run(work: Callable[[], int], temporary: str, *, stacktrace: bool) -> int:
    before = set(linux.children(os.getpid()))
    linux.become_subreaper()
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        os.environ["TMPDIR"] = temporary
        _be_child(work, write_end, stacktrace)
    os.close(write_end)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        _, status = os.waitpid(pid, 0)
    except KeyboardInterrupt:
        _end(pid)
        return print_interrupted()
    finally:
        signal.signal(signal.SIGTERM, previous)
        _end_leftovers(before)
        finished = _was_finished(read_end)
    code = os.waitstatus_to_exitcode(status)
    return code if finished else _tell_ended(code)


def _be_child(work: Callable[[], int], finished: int, stacktrace: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    linux.die_with_parent()
    code = 1
    try:
        code = work()
        os.write(finished, b"!")
    except PolyhostError as error:
        code = print_error(error, stacktrace=stacktrace)
        os.write(finished, b"!")
    except SystemExit as ended:  # the model's own doing: the parent says so
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except OSError as error:
        code = streams.failed(error)
        os.write(finished, b"!")
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os.write(finished, b"!")
    finally:
        os._exit(_flushed(code))


def _flushed(code: int) -> int:
    """The exit code, once all that was printed is written."""
    import ctypes

    try:
        code = streams.finish(code)
        ctypes.CDLL(None).fflush(None)  # what guest code printed through C
    except Exception:
        logger.exception("what was printed could not be written")
        return code or streams.FAILED
    return code


@contextmanager
def term_interrupts() -> Iterator[None]:
    """SIGTERM ends what is in here as SIGINT does."""
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _was_finished(read_end: int) -> bool:
    os.set_blocking(read_end, False)  # a grandchild may hold the other end
    try:
        return os.read(read_end, 1) == b"!"
    except BlockingIOError:
        return False
    finally:
        os.close(read_end)


def _end(pid: int) -> None:
    """Ask, wait, kill, reap."""
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while time.monotonic() < until:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _end_leftovers(before: set[int]) -> None:
    """End what the model started and left: as its subreaper we inherit it."""
    while left := set(linux.children(os.getpid())) - before:
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _tell_ended(code: int) -> int:
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
    error = WorkerCrashed(
        f"the model's process was ended {how} before its answer: expected the model to return. "
        "Look for an exit in its code, or for a crash of a native library.",
        exit_code=code,
    )
    print_error(error, stacktrace=False)
    return code if code > 0 else 1
