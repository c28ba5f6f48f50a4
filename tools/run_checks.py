"""Run the formatters, linters and type checkers of all four languages; ``--fix`` mends what it can.

A tool that is not installed here is named, and left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass

from shell import ROOT, say, works

PYTHON = (sys.executable, "-m")
JAVA_FORMAT = "com.spotify.fmt:fmt-maven-plugin:2.25"
MAVEN = ("mvn", "-B", "-ntp", "-q", "-f", "runtimes/java")
R_LINT = """
found <- lintr::lint_package("runtimes/r")
print(found)
quit(status = length(found) > 0)
"""
R_STYLE = """
styler::style_pkg("runtimes/r", dry = "{dry}")
"""
JULIA_FORMAT = """
using JuliaFormatter
exit(format("runtimes/julia"; overwrite={overwrite}) ? 0 : {code})
"""


@dataclass(frozen=True)
class Check:
    """One tool: how to see that it is here, the command that checks, the one that mends."""

    name: str
    folder: str
    present: tuple[str, ...]
    check: tuple[str, ...]
    fix: tuple[str, ...] = ()


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
    Check("mypy", ".", (*PYTHON, "mypy", "--version"), (*PYTHON, "mypy")),
    Check(
        "google-java-format",
        "runtimes/java/src",
        ("mvn", "-version"),
        (*MAVEN, f"{JAVA_FORMAT}:check"),
        (*MAVEN, f"{JAVA_FORMAT}:format"),
    ),
    Check(
        "lintr",
        "runtimes/r/R",
        ("Rscript", "-e", "loadNamespace('lintr')"),
        ("Rscript", "-e", R_LINT),
    ),
    Check(
        "styler",
        "runtimes/r/R",
        ("Rscript", "-e", "loadNamespace('styler')"),
        ("Rscript", "-e", R_STYLE.format(dry="fail")),
        ("Rscript", "-e", R_STYLE.format(dry="off")),
    ),
    Check(
        "JuliaFormatter",
        "runtimes/julia/src",
        ("julia", "--startup-file=no", "-e", "using JuliaFormatter"),
        ("julia", "--startup-file=no", "-e", JULIA_FORMAT.format(overwrite="false", code=1)),
        ("julia", "--startup-file=no", "-e", JULIA_FORMAT.format(overwrite="true", code=0)),
    ),
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
