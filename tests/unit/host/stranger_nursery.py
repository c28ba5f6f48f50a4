"""Starts the worker of ``stranger.py`` in the place of ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyhost.host.launcher import NO_SETUP, Launcher
from polyhost.host.sockets import Sockets
from polyhost.predictor import ModelSpec

STRANGER = Path(__file__).with_name("stranger.py")


class StrangerNursery(Launcher):
    """Starts the stranger's worker instead of ours."""

    def __init__(self) -> None:
        super().__init__(warm=False)

    async def start(
        self,
        spec: ModelSpec,
        python: str | None,
        env: dict[str, str],
        sockets: Sockets,
        setup: Mapping[str, Any] = NO_SETUP,
    ) -> int:
        data, control, stdout, stderr = sockets.for_worker()
        process = subprocess.Popen(
            [sys.executable, str(STRANGER), str(data), str(control)],
            env=env,
            pass_fds=(data, control),
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        process.returncode = 0
        return process.pid
