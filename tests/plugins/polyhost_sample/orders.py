"""What a row of a scripted model can order: the ways in which guest code answers, fails and ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

_kept: list[bytearray] = []
LONG = 600
"""Seconds that nothing waits for."""


def follow(order: str) -> None:
    """Do what an order says; ``answers`` does nothing. LookupError for an unknown one."""
    name, _, argument = order.partition(":")
    ORDERS[name](argument)


def _nothing(_argument: str) -> None:
    """Answer as usual."""


def _raise(message: str) -> None:
    raise ValueError(message or "asked to raise")


def _exit(status: str) -> None:
    os._exit(int(status or 3))


def _kill(name: str) -> None:
    number = signal.Signals[f"SIG{name or 'KILL'}"]
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    time.sleep(LONG)


def _hang(_argument: str) -> None:
    while True:
        time.sleep(LONG)


def _hold(_argument: str) -> None:
    """Hang where no other thread of the interpreter gets a turn."""
    ctypes.PyDLL(None).sleep(LONG)


def _sleep(seconds: str) -> None:
    time.sleep(float(seconds))


def _grow(mebibytes: str) -> None:
    """Touch memory and keep it, until the host has seen it."""
    _kept.append(bytearray(int(mebibytes) << 20))
    _kept[-1][::4096] = b"x" * len(_kept[-1][::4096])
    time.sleep(LONG)


def _flood(mebibytes: str) -> None:
    for _ in range(int(mebibytes or 8)):
        sys.stdout.write("x" * ((1 << 20) - 1) + "\n")
    sys.stdout.flush()


def _until(path: str) -> None:
    """Wait for a file: a test lets the answer go when it has seen what it waits for."""
    while not os.path.exists(path):
        time.sleep(0.005)


def _mark(path: str) -> None:
    """Make a file: a test sees that the request has begun."""
    with open(path, "a", encoding="ascii") as file:
        file.write("begun\n")


ORDERS = {
    "answers": _nothing,
    "raises": _raise,
    "exits": _exit,
    "dies": _kill,
    "hangs": _hang,
    "holds": _hold,
    "sleeps": _sleep,
    "grows": _grow,
    "floods": _flood,
    "until": _until,
    "marks": _mark,
}
