"""Stopping guest code from another thread."""

from __future__ import annotations

import ctypes
import signal
import threading
from types import FrameType
from typing import Any, Dict, Optional

_SIGNAL = signal.SIGUSR2


class Interruptible:
    """A context around guest code; :meth:`interrupt` makes it raise KeyboardInterrupt.

    On the main thread a signal does it, which ends a sleep or a read too; on any other thread
    the exception waits for the next line of Python. Code that never returns to Python, such as
    a long call into a compiled library, cannot be stopped.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: Optional[int] = None
        self._pending = self._raised = False
        self._previous: Any = None
        self._signals = self._take_signal()

    def __enter__(self) -> None:
        self._raised = False
        self._thread = threading.get_ident()

    @property
    def asked(self) -> bool:
        """True where the call on this thread was interrupted: its KeyboardInterrupt is ours."""
        return self._raised or self._pending

    def __exit__(self, *_: object) -> None:
        if self._signals:
            self._thread = None  # the handler looks at it, on this same thread
            return
        with self._lock:
            self._thread, thread = None, self._thread
            if self._pending:
                self._pending = False
                _raise_in(thread, None)

    def interrupt(self, thread: Optional[int] = None) -> bool:
        """Stop the running call, whichever thread it is on; False when there is none."""
        with self._lock:
            if self._thread is None:
                return False
            if self._signals:
                signal.pthread_kill(self._thread, _SIGNAL)
            else:
                self._pending = True
                _raise_in(self._thread, KeyboardInterrupt)
            return True

    def close(self) -> None:
        """Give the signal back."""
        if self._signals and threading.current_thread() is threading.main_thread():
            signal.signal(_SIGNAL, self._previous)
            self._signals = False

    def _take_signal(self) -> bool:
        if threading.current_thread() is not threading.main_thread():
            return False
        self._previous = signal.getsignal(_SIGNAL)
        if self._previous is not signal.SIG_DFL:
            return False  # somebody else's
        signal.signal(_SIGNAL, self._on_signal)
        return True

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        if self._thread is not None:
            self._raised = True
            raise KeyboardInterrupt


class InterruptibleThreads:
    """The same around calls that run at once, each on a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: Dict[int, bool] = {}
        """Threads in guest code, and whether each has been interrupted."""

    def __enter__(self) -> None:
        self._inside[threading.get_ident()] = False

    @property
    def asked(self) -> bool:
        """True where the call on this thread was interrupted: its KeyboardInterrupt is ours."""
        return self._inside.get(threading.get_ident(), False)

    def __exit__(self, *_: object) -> None:
        thread = threading.get_ident()
        with self._lock:
            if self._inside.pop(thread, False):
                _raise_in(thread, None)

    def interrupt(self, thread: Optional[int] = None) -> bool:
        """Stop the call on this thread, or every call; False when there is none."""
        with self._lock:
            found = [one for one in self._inside if thread in (None, one)]
            for one in found:
                self._inside[one] = True
                _raise_in(one, KeyboardInterrupt)
        return bool(found)

    def close(self) -> None:
        """Nothing was taken."""


def may_be_typed() -> bool:
    """True where a KeyboardInterrupt may come from the keyboard: Python's own handler is there."""
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _raise_in(thread: Optional[int], kind: Optional[type]) -> None:
    target = None if kind is None else ctypes.py_object(kind)  # None takes a pending one back
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread or 0), target)
