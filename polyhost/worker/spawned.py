"""A worker that was started as a fresh process rather than forked from a warm parent."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any, Dict

from polyhost.errors import RuntimeUnavailable, to_wire
from polyhost.wire import frames, linux
from polyhost.worker import identity


def main(data_fd: int, control_fd: int, host: int, setup: Dict[str, Any]) -> None:
    """Enter a group of its own, die with the host, and serve."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    identity.begin(setup)
    linux.die_with_parent()
    if os.getppid() != host:
        sys.exit("polyhost: the host ended while its worker started")
    for fd in (data_fd, control_fd):
        os.set_inheritable(fd, False)
    _need_numpy(control_fd)
    from polyhost.worker.main import main as worker_main

    worker_main(data_fd, control_fd)


def _need_numpy(control_fd: int) -> None:
    """Report to the host, and end, when this interpreter lacks the one package that workers need."""
    try:
        import numpy  # noqa: F401
    except ImportError as error:
        wrong = RuntimeUnavailable(
            f"the interpreter {sys.executable} cannot host a model: {error}. "
            f"Install numpy there: {sys.executable} -m pip install numpy "
            "(Debian's own Python: apt-get install python3-numpy)."
        )
        control = socket.socket(fileno=control_fd)
        control.sendall(frames.encode(frames.FrameKind.ERROR, 0, frames.dumps(to_wire(wrong))))
        sys.exit(1)
