"""A worker's stacks, for the log, before a worker that hangs is killed.

Two ways, since either may be shut: a signal, which Python's own dumper answers in C whoever holds
the interpreter; and a STACKS frame, on which the control thread asks the guest's runtime.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from typing import Any

SIGNAL = signal.SIGUSR1


def answer_signal() -> None:
    """From now on :data:`SIGNAL` writes every Python thread's stack to standard error."""
    faulthandler.register(SIGNAL, file=os.dup(2), all_threads=True)


def write_guest(predictor: Any) -> None:
    """Write what the guest's runtime says of its threads; called on the control thread."""
    stacks = getattr(predictor, "stacks", None)
    if stacks is None:
        return
    try:
        text = stacks()
    except Exception as error:  # whatever a hung runtime answers, the worker is about to end
        text = f"the stacks of the runtime cannot be had: {type(error).__name__}: {error}"
    if text:
        os.write(2, text.rstrip("\n").encode("utf-8", "replace") + b"\n")
