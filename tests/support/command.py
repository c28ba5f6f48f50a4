"""The polyhost command as a user runs it: another process, with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POLYHOST = [sys.executable, "-m", "polyhost"]


UNOPTIMISED = {"JULIA_OPTIONS": "-O0"}
"""For servers whose Julia models start often and compute little: optimising takes a third of a start."""


def clean_environment(folder: Path, **extra: str) -> dict[str, str]:
    """Ours without the variables that polyhost reads, and with a folder for temporary files."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "R_HOME", "JAVA_HOME", "TZ")
    kept += tuple(name for name in os.environ if name.startswith(("JULIA", "R_LIBS", "VIRTUAL")))
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**environment, "TMPDIR": str(temporary), "PYTHONPATH": path, **extra}


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


class Command:
    """Call it with arguments; keyword ``env`` adds variables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, *arguments: object, env: dict[str, str] | None = None, timeout: float = 240
    ) -> Done:
        done = subprocess.run(
            [*POLYHOST, *map(str, arguments)],
            cwd=self.folder,
            env=clean_environment(self.folder, **(env or {})),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        left = sorted(path.name for path in (self.folder / "tmp").iterdir())
        assert not left, f"temporary files left: {left}"
        return Done(done.returncode, done.stdout, done.stderr)
