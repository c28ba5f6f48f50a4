"""Run every language's own test runner, then repeat the summary line that each one printed.

python3 tools/run_tests.py                all of them
python3 tools/run_tests.py --runtime r    one language: its own tests, and pytest for it alone

A runner whose language is not installed here is left out with a word, or fails with CI set.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

from shell import CI, LANGUAGES, ROOT, say


@dataclass(frozen=True)
class Runner:
    """A test runner: what starts it, and how its summary reads in what it prints."""

    language: str
    name: str
    command: tuple[str, ...]
    summary: str
    folder: str


RUNNERS = (
    Runner(
        "java",
        "JUnit",
        ("mvn", "-B", "-ntp", "-f", "runtimes/java", "test"),
        r"^.*Tests run: \d+, Failures: \d+, Errors: \d+, Skipped: \d+$",
        "runtimes/java/src/test",
    ),
    Runner(
        "r",
        "testthat",
        (
            "Rscript",
            "-e",
            "testthat::test_local('runtimes/r', load_package = 'source', reporter = 'check')",
        ),
        r"^\[ FAIL \d+ .*\]$",
        "runtimes/r/tests",
    ),
    Runner(
        "julia",
        "Test",
        (
            "julia",
            "--startup-file=no",
            "--project=runtimes/julia",
            "runtimes/julia/test/runtests.jl",
        ),
        r"^Test Summary:.*\n.*$",
        "runtimes/julia/test",
    ),
    Runner(
        "python",
        "pytest",
        (sys.executable, "-m", "pytest"),
        r"^=+ .* in [\d.]+s.* =+$",
        "tests",
    ),
)


def main() -> int:
    """Run what was asked for; 0 when nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtime", choices=("python", *LANGUAGES))
    only = parser.parse_args().runtime
    chosen = [runner for runner in RUNNERS if only in (None, runner.language)]
    if only in LANGUAGES:
        chosen.append(RUNNERS[-1])  # pytest, which drives that language through polyhost
    results = [_run(runner, only) for runner in chosen]
    print("\n" + "\n".join(line for line, _ in results), flush=True)
    return 0 if all(passed for _, passed in results) else 1


def _run(runner: Runner, only: str | None) -> tuple[str, bool]:
    """Run one; its summary, and whether it passed."""
    name = f"{runner.name} ({runner.language})"
    if not shutil.which(runner.command[0]):
        return f"{name}: not run, {runner.command[0]} is not installed", not CI
    if not (ROOT / runner.folder).is_dir():
        return f"{name}: not run, no tests in {runner.folder}", not CI
    say(f"{name}: {' '.join(runner.command)}")
    # R asks systemd for the time zone when TZ is not set; conftest.py reads the runtime.
    environment = {"TZ": "UTC", **os.environ, "POLYHOST_TEST_RUNTIME": only or ""}
    started = time.monotonic()
    with subprocess.Popen(
        runner.command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            print(line, end="", flush=True)
            printed.append(line)
    found = re.findall(runner.summary, "".join(printed), re.MULTILINE)
    summary = found[-1] if found else "no summary"
    seconds = time.monotonic() - started
    return f"{name}, exit {process.returncode}, {seconds:.0f} s:\n{summary}", not process.returncode


if __name__ == "__main__":
    sys.exit(main())
