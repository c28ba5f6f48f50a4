"""Whether the runtimes are usable here: what each bridge finds, looked at in a process of its own.

A runtime that is half installed may crash the process that touches it, so no bridge is asked in
ours. ``python -m polyhost.bridges.doctor LANGUAGE`` is that process; it prints the findings as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, Iterable, List

from polyhost.errors import RuntimeUnavailable

TIMEOUT = 120.0
"""Seconds that a bridge may look."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``fix`` is the exact command that fixes it, empty when ``ok``."""

    what: str
    ok: bool
    found: str = ""
    fix: str = ""


def examine(languages: Iterable[str]) -> Dict[str, List[Finding]]:
    """Findings by language, all looked at at once. Never raises for what a bridge does."""
    running = {language: _start(language) for language in languages}
    return {language: _result(language, process) for language, process in running.items()}


def is_usable(findings: Iterable[Finding]) -> bool:
    """Everything that was looked at is well."""
    return all(finding.ok for finding in findings)


def _start(language: str) -> subprocess.Popen[bytes]:
    package_parent = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen(
        [sys.executable, "-m", "polyhost.bridges.doctor", language],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )


def _result(language: str, process: subprocess.Popen[bytes]) -> List[Finding]:
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return [_broken(language, f"no answer within {TIMEOUT:g} s")]
    if process.returncode == 0 and out.strip():
        return [Finding(**finding) for finding in json.loads(out.splitlines()[-1])]
    last = (err.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
    return [_broken(language, f"the check ended with status {process.returncode}: {last}")]


def _broken(language: str, found: str) -> Finding:
    from polyhost.bridges import bridge_for

    return Finding(f"{language} bridge", False, found, bridge_for(language).requires)


def _look(language: str) -> List[Finding]:
    """Ask the bridge, in this process."""
    from polyhost.bridges import bridge_for

    bridge = bridge_for(language)
    try:
        module = bridge.load()
    except RuntimeUnavailable as error:
        return [_broken(language, str(error.__cause__ or error))]
    return list(module.doctor())


if __name__ == "__main__":
    findings = [asdict(finding) for finding in _look(sys.argv[1])]
    sys.stdout.write("\n" + json.dumps(findings) + "\n")
