"""Build one environment: each step a process, its output kept, ended when nobody waits any more."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from polyhost.environments.installers import (
    Installer,
    Step,
    installer_environment,
    interpreter_of,
)
from polyhost.environments.recipe import Recipe
from polyhost.errors import EnvironmentFailed
from polyhost.wire import linux

logger = logging.getLogger(__name__)

LIMIT = 1800.0
"""Seconds that all steps together may take."""
LAST_LINES = 12
LOOK = 0.05
_SECRET = re.compile(r"(://)[^/@\s:]*(?::[^/@\s]*)?@")
_HAS_NUMPY = "import importlib.util as u, sys; sys.exit(u.find_spec('numpy') is None)"


class Abandoned(Exception):
    """Nobody waits for the environment any more."""


class Build:
    """The making of one environment in ``folder``. Runs on a thread of its own.

    ``lock``: descriptor that the installers inherit, so that the place stays locked until the
    last of them has ended, whatever becomes of us.
    """

    def __init__(self, folder: Path, recipe: Recipe, stop: threading.Event, lock: int) -> None:
        self.folder = folder
        self.venv = folder / "venv"
        self._recipe = recipe
        self._stop = stop
        self._lock = lock
        self._log = folder / "build.log"
        self._until = time.monotonic() + LIMIT

    def run(self, installer: Installer, python: str) -> None:
        """Make it all; EnvironmentFailed names the step and has the installer's last lines."""
        scratch = self.folder / "exported.txt"
        # Asked first: a recipe that this installer cannot read is reported before anything is made.
        installs = installer.install(self._recipe, self.venv, scratch)
        self._do(installer.make(python, self.venv))
        for step in installs:
            self._do(step)
        self._need_numpy(installer)

    def _need_numpy(self, installer: Installer) -> None:
        """Workers need numpy: add it where the requirements did not bring it; see that it loads."""
        python = str(interpreter_of(self.venv))
        if self._run((python, "-I", "-c", _HAS_NUMPY)) != 0:
            self._do(installer.add("numpy", self.venv))
        look = (python, "-I", "-c", "import numpy")
        self._do(Step("importing numpy, which every worker needs", look))

    def _do(self, step: Step) -> None:
        start = self._log.stat().st_size if self._log.exists() else 0
        code = self._run(step.command)
        if code == 0:
            return
        said = self._said_since(start)
        how = f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        raise EnvironmentFailed(
            f"the environment of the model in {self._recipe.code_dir} could not be built: "
            f"{step.what} failed ({how}):\n{said or 'it said nothing'}\n"
            f"Fix {self._recipe.source}, or see that the package index can be reached from here "
            "(offline: fill the installer's cache, or name a local index).",
            step=step.what,
            output=said,
        )

    def _run(self, command: tuple[str, ...]) -> int:
        with open(self._log, "ab") as output:
            try:
                process = subprocess.Popen(
                    command,
                    cwd=self._recipe.code_dir,
                    env=installer_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(self._lock,),
                )
            except OSError as error:
                output.write(f"{command[0]}: {error}\n".encode())
                return 127
        return self._wait(process)

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        while process.poll() is None:
            late = time.monotonic() > self._until
            if late or self._stop.wait(LOOK):
                _end(process)
                if not late:
                    raise Abandoned
                self._note(f"ended after {LIMIT:g} s: it took too long")
        return process.returncode

    def _note(self, text: str) -> None:
        with open(self._log, "a", encoding="utf-8") as output:
            output.write(text + "\n")

    def _said_since(self, start: int) -> str:
        with open(self._log, "rb") as output:
            output.seek(start)
            text = output.read().decode("utf-8", "replace")
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        return "\n".join(without_secrets(line) for line in lines[-LAST_LINES:])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill an installer and what it started, and reap them.

    Not by a process group of their own: a host takes children outside of its group for leftovers
    of a model.
    """
    started = _kill_tree(process.pid)
    process.wait()
    for pid in started:
        with contextlib.suppress(ChildProcessError):  # inherited by us, or by init
            os.waitpid(pid, 0)


def _kill_tree(pid: int) -> list[int]:
    """Kill a process and its descendants, whose pids are the answer; none is missed, since each
    is stopped before its children are looked up."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    children = linux.children(pid)
    found = [below for child in children for below in (child, *_kill_tree(child))]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return found


def without_secrets(text: str) -> str:
    """Addresses in a text without the user and password in them."""
    return _SECRET.sub(r"\1***@", text)
