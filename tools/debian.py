"""System packages by apt, on Debian and its kin."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from shell import StepFailed, output, say, step, works

if TYPE_CHECKING:
    from language import Apt


def install(languages: list[Apt]) -> None:
    """Install what the languages lack; do nothing where there is no apt."""
    if not shutil.which("apt-get"):
        return
    usable = [apt for apt in languages if apt.usable()]
    wanted = [name for apt in usable for name in apt.packages]
    wanted += ["python3-numpy"]  # a foreign interpreter, for the tests: Debian's own
    if sys.base_prefix == "/usr":
        wanted += ["python3-dev", "python3-venv"]
    lacking = set(wanted) - installed(wanted)
    if not lacking:
        return
    root = _as_root()
    if root is None:
        say(f"cannot install system packages without root or sudo: {' '.join(sorted(lacking))}")
        return
    for apt in usable:
        if apt.add_source is not None and lacking.intersection(apt.packages):
            apt.add_source(root)
            lacking.update(apt.held)  # installed or not: another version of it
    _install(sorted(lacking), root)


def install_packages(packages: list[str]) -> None:
    """Install what is lacking of these packages, where there is apt and somebody may use it."""
    lacking = sorted(set(packages) - installed(packages)) if shutil.which("apt-get") else []
    root = _as_root()
    if lacking and root is not None:
        _install(lacking, root)


def mirror() -> str:
    """The Debian mirror which apt uses here, from either notation of its sources."""
    folder = Path("/etc/apt")
    for file in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))):
        text = file.read_text() if file.is_file() else ""
        for uri in re.findall(r"^(?:URIs:|deb(?:\s+\[.*?\])?)\s+(\S+)", text, re.MULTILINE):
            if uri.rstrip("/").endswith("/debian"):
                return str(uri)
    raise StepFailed(f"no Debian mirror found in {folder}/sources.list and sources.list.d")


def _install(packages: list[str], root: list[str]) -> None:
    fixed = ["-y", "-q", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=600"]
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *fixed]
    say(f"system packages: {' '.join(packages)}")
    step(
        f"installing {len(packages)} system packages",
        [*apt, "update"],
        [*apt, "install", "--no-install-recommends", "--allow-downgrades", *packages],
        log="system",
    )


def installed(packages: list[str]) -> set[str]:
    """Those of the packages that are installed."""
    lines = output("dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n", *packages)
    return {line.split()[0] for line in lines.splitlines() if line.split()[1:] == ["ii"]}


def _as_root() -> list[str] | None:
    """What to put before a command so that root runs it; None when nobody can."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
    return sudo if works(*sudo, "true") else None
