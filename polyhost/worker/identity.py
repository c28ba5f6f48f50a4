"""What a process that becomes a worker does to itself first: cores, user, privileges."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping

from polyhost.wire import linux


def begin(setup: Dict[str, Any]) -> None:
    """What a process that becomes a worker does first. Its parent-death signal comes after: the
    kernel forgets it when the user changes."""
    if setup.get("cores"):
        os.sched_setaffinity(0, setup["cores"])
    if setup.get("user"):
        become(setup["user"])
    elif setup.get("settled"):  # started as that user
        linux.forbid_new_privileges()


def become(user: Mapping[str, Any]) -> None:
    """Make this process the user's for good; OSError when that is not possible.

    The order matters: a process that has given up its user may no longer change its groups.
    """
    os.setgroups(user["groups"])
    os.setresgid(user["gid"], user["gid"], user["gid"])
    os.setresuid(user["uid"], user["uid"], user["uid"])
    if 0 in os.getresuid() or 0 in os.getresgid():
        raise PermissionError("this process still has root's rights")
    linux.own_files_again()
    linux.forbid_new_privileges()
