"""Run every language's own test runner, then repeat the summary line that each one printed.

python3 tools/run_tests.py                all of them
python3 tools/run_tests.py --runtime r    one language: its own tests, and pytest for it alone

pytest runs in several processes and prints as it goes; the other runners run beside it, one after
another, and what each printed follows when it ended. A runner whose language is not installed here
is left out with a word, or fails with CI set.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from language import Runner
from languages import LANGUAGES

from shell import CI, ROOT, say

MOST = 4
"""Processes of pytest: each may start runtimes of its own, of 250 MB and more.

There is one more than cores, for a test waits for much of its time: for deadlines, ends, pauses.
"""
CORES = len(os.sched_getaffinity(0))
PYTEST = Runner(
    "python",
    "pytest",
    (sys.executable, "-m", "pytest", "-n", str(min(CORES + 1, MOST)), "--durations=25"),
    r"^=+ .* in [\d.]+s.* =+$",
    "tests",
)


def main() -> int:
    """Run what was asked for; 0 when nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtime", choices=("python", *LANGUAGES))
    only = parser.parse_args().runtime
    others = [one.runner for one in LANGUAGES.values() if only in (None, one.name)]
    with ThreadPoolExecutor(1) as beside:
        running = [beside.submit(_run, runner, only, show=False) for runner in others]
        results = [_run(PYTEST, only, show=True)]  # also for one language: through polyhost
        results = [*(future.result() for future in running), *results]
    print("\n" + "\n".join(line for line, _ in results), flush=True)
    return 0 if all(passed for _, passed in results) else 1


def _run(runner: Runner, only: str | None, *, show: bool) -> tuple[str, bool]:
    """Run one; its summary, and whether it passed. ``show``: print its lines as they come."""
    name = f"{runner.name} ({runner.language})"
    if not shutil.which(runner.command[0]):
        return f"{name}: not run, {runner.command[0]} is not installed", not CI
    if not (ROOT / runner.folder).is_dir():
        return f"{name}: not run, no tests in {runner.folder}", not CI
    say(f"{name}: {' '.join(runner.command)}")
    started = time.monotonic()
    code, printed = _output(runner, only, show=show)
    if not show:
        print(f"\n{name}:\n{printed}", flush=True)
    found = re.findall(runner.summary, printed, re.MULTILINE)
    summary = found[-1] if found else "no summary"
    return f"{name}, exit {code}, {time.monotonic() - started:.0f} s:\n{summary}", not code


def _output(runner: Runner, only: str | None, *, show: bool) -> tuple[int, str]:
    """Exit code of a runner, and what it printed."""
    # R asks systemd for the time zone when TZ is not set; conftest.py reads the runtime.
    environment = {"TZ": "UTC", **os.environ, "POLYHOST_TEST_RUNTIME": only or ""}
    printed = []
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
        for line in process.stdout:
            if show:
                print(line, end="", flush=True)
            printed.append(line)
    return process.returncode, "".join(printed)


if __name__ == "__main__":
    sys.exit(main())
