"""Make environments of client programs whose requirements clash with ours, for the tests.

python3 tools/client_environments.py            all of them
python3 tools/client_environments.py mlflow     one; its requirements: tests/clients/mlflow.txt

Each is made again when its requirements changed, and lies in .setup/clients. Tests find it through
tests/support/clients.py.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from shell import ROOT, STATE, VENV, StepFailed, locked, once, say, step, works

REQUIREMENTS = ROOT / "tests" / "clients"
CLIENTS = STATE / "clients"
IN_SETUP = ("inference", "mlflow")
"""Made by tools/setup.py: what `make test` needs. The others have a make target of their own."""
WITH_US = ("mlflow",)
"""Those that find polyhost too, as a plugin of theirs."""


def main() -> int:
    """Make what was asked for; 0 when all of it is there."""
    names = sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    wanted = parser.parse_args().names or names
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        say(f"error: no such client: {', '.join(unknown)}; expected {', '.join(names)}")
        return 2
    try:
        with locked():
            for name in wanted:
                make(name)
    except StepFailed as error:
        say(f"error: {error}")
        return 1
    return 0


def make(name: str) -> Path:
    """The environment of one client, made unless it is there; StepFailed when it cannot be."""
    listed, folder = REQUIREMENTS / f"{name}.txt", CLIENTS / name
    made, key = folder / "bin/python", listed.read_text()
    if name in WITH_US:
        key += (ROOT / "pyproject.toml").read_text().split("\n[tool.ruff")[0]
    once(f"client-{name}", key, lambda: _make(name, listed, folder), made=made)
    return folder


def _make(name: str, listed: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    ours, python = str(VENV / "bin/python"), str(folder / "bin/python")
    wanted = ["-r", str(listed), *(["-e", str(ROOT)] if name in WITH_US else [])]
    if works(ours, "-m", "uv", "--version"):
        commands = [
            [ours, "-m", "uv", "venv", "--quiet", "--python", ours, str(folder)],
            [ours, "-m", "uv", "pip", "install", "--quiet", "--python", python, *wanted],
        ]
    else:
        commands = [
            [ours, "-m", "venv", str(folder)],
            [python, "-m", "pip", "install", "-q", "--no-input", *wanted],
        ]
    step(f"making the environment of the client {name}", *commands, log=f"client-{name}")


if __name__ == "__main__":
    sys.exit(main())
