"""Descriptors that cross a socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from polyhost.wire import descriptors


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_bytes_and_descriptors_come_together_and_nobody_inherits_them(kind: int) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    files = [os.memfd_create(name) for name in ("one", "two")]
    for number, fd in enumerate(files):
        os.write(fd, b"%d" % number)
    assert descriptors.send(ours, b"data", files) == 4
    data, found = descriptors.receive(theirs, 100)
    assert data == b"data"
    assert [os.pread(fd, 10, 0) for fd in found] == [b"0", b"1"]
    assert [os.get_inheritable(fd) for fd in found] == [False, False]
    look = f"import os; print(sum(map(os.path.exists, {[f'/proc/self/fd/{fd}' for fd in found]})))"
    child = subprocess.run([sys.executable, "-c", look], close_fds=False, stdout=subprocess.PIPE)
    assert int(child.stdout) == 0
    for fd in (*files, *found):
        os.close(fd)
    ours.close()
    assert descriptors.receive(theirs, 100) == (b"", [])
    theirs.close()
