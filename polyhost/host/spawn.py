"""Starts a worker as a fresh process of an interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from polyhost.host.sockets import Sockets

BOOT = Path(__file__).resolve().parents[1] / "worker" / "boot.py"


def spawn(
    python: Optional[str],
    env: Dict[str, str],
    sockets: Sockets,
    working_dir: Optional[str] = None,
    setup: Optional[Mapping[str, Any]] = None,
) -> int:
    """Start a worker as a fresh process of an interpreter (None: this one); its pid.

    The interpreter starts as the worker's user: what it runs before our code is the model's too.
    """
    data, control, stdout, stderr = sockets.for_worker()
    setup = dict(setup or {})
    user = setup.pop("user", None)
    setup["settled"] = user is not None
    arguments = json.dumps(
        {"data_fd": data, "control_fd": control, "host": os.getpid(), "setup": setup}
    )
    account: Dict[str, Any] = {}
    if user is not None:
        account = {"user": user["uid"], "group": user["gid"], "extra_groups": user["groups"]}
    process = subprocess.Popen(
        [python or sys.executable, str(BOOT), "polyhost.worker.spawned", arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=env,
        pass_fds=(data, control),
        cwd=working_dir,
        **account,
    )
    process.returncode = 0  # reaped through its pidfd, never by the subprocess module
    return process.pid
