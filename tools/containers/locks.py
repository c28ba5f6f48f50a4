"""``requirements.txt`` of each environment: all packages with their versions, by uv."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from containers.contexts import folder_of, version

from shell import ROOT, StepFailed, say

PYTHON = "3.11"
"""The Python of Debian bookworm."""


def lock(names: list[str]) -> None:
    """Write the pinned versions of these environments."""
    for name in names:
        folder = folder_of(name)
        lines = _resolved((folder / "requirements.in").read_text(encoding="utf-8"))
        (folder / "requirements.txt").write_text(lines, encoding="utf-8")
        say(f"wrote {folder / 'requirements.txt'}")


def _resolved(wanted: str) -> str:
    own, *others = [line for line in wanted.splitlines() if line and not line.startswith("#")]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.in")
        file.write_text("\n".join([own.replace("polyhost", f"{ROOT}", 1), *others]) + "\n")
        fixed = ["--no-header", "--no-annotate", "--python-version", PYTHON]
        fixed += ["--python-platform", "x86_64-manylinux_2_28", "--no-emit-package", "polyhost"]
        done = subprocess.run(
            [sys.executable, "-m", "uv", "pip", "compile", *fixed, str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise StepFailed(f"uv cannot resolve {' '.join([own, *others])}:\n{done.stderr}")
    pinned = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    return "\n".join([f"{own}=={version()}", *pinned]) + "\n"
