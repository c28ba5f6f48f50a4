"""Run the formatters, linters and type checkers of all languages; ``--fix`` corrects what it can.

A tool that is not installed here is named, and left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from language import Check
from languages import LANGUAGES

from shell import ROOT, VENV, say, works

PYTHON = (sys.executable, "-m")
CHECKS = (
    Check(
        "ruff format",
        ".",
        (*PYTHON, "ruff", "--version"),
        (*PYTHON, "ruff", "format", "--check", "."),
        (*PYTHON, "ruff", "format", "."),
    ),
    Check(
        "ruff check",
        ".",
        (*PYTHON, "ruff", "--version"),
        (*PYTHON, "ruff", "check", "."),
        (*PYTHON, "ruff", "check", "--fix", "."),
    ),
    Check(
        "hadolint",
        "dropin_envs",
        (str(VENV / "bin/hadolint"), "--version"),
        (str(VENV / "bin/hadolint"), *map(str, sorted(ROOT.glob("dropin_envs/*/Dockerfile")))),
    ),
    Check("mypy", ".", (*PYTHON, "mypy", "--version"), (*PYTHON, "mypy")),
    *(check for language in LANGUAGES.values() for check in language.checks),
)


def main() -> int:
    """Run all, then say which failed; 0 when none did."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fix", action="store_true")
    fix = parser.parse_args().fix
    failed = [check.name for check in CHECKS if not _passes(check, fix=fix)]
    say(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def _passes(check: Check, *, fix: bool) -> bool:
    command = check.fix if fix else check.check
    if not command:
        return True
    if not (ROOT / check.folder).exists():
        say(f"{check.name}: not run, there is no {check.folder}")
        return True
    if not works(*check.present):
        say(f"{check.name}: not run, not installed here")
        return True
    say(check.name)
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
