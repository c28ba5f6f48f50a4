"""A worker that was started as a fresh process rather than forked from a warm parent."""

from __future__ import annotations

import os
import sys

from polyhost.worker import linux


def main(data_fd: int, control_fd: int, host: int) -> None:
    """Enter a group of its own, die with the host, and serve."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    linux.die_with_parent()
    if os.getppid() != host:
        sys.exit("polyhost: the host ended while its worker started")
    for fd in (data_fd, control_fd):
        os.set_inheritable(fd, False)
    from polyhost.worker.main import main as worker_main

    worker_main(data_fd, control_fd)
