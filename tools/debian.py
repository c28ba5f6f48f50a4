"""System packages by apt, on Debian and its kin: the languages, and Julia which Debian dropped."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from shell import StepFailed, output, say, step, works

R_PACKAGES = (
    "MASS",
    "Matrix",
    "caret",
    "e1071",
    "gbm",
    "glmnet",
    "jsonlite",
    "kernlab",
    "mgcv",
    "nnet",
    "randomForest",
    "ranger",
    "recipes",
    "rpart",
    "stringi",
    "testthat",
)
PACKAGES = {
    "java": ("openjdk-17-jdk-headless", "maven"),
    "r": (
        "r-base-dev",
        "r-cran-lintr",
        "r-cran-roxygen2",
        *(f"r-cran-{name.lower()}" for name in R_PACKAGES),
    ),
    "julia": ("julia", "libjulia-dev", "libunwind8"),
}

# Debian's last Julia is bullseye's. Nothing else shall come from there, hence the low priority.
# Julia 1.5 dies of any exception with a later libunwind, so that one is held where it works.
PINS = """\
Package: *
Pin: release n=bullseye
Pin-Priority: 100

Package: libunwind8
Pin: version 1.3.2-2
Pin-Priority: 1001
"""
SOURCE = """\
Types: deb
URIs: {mirror}
Suites: bullseye
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def install(languages: list[str]) -> None:
    """Install what the languages lack; do nothing where there is no apt."""
    if not shutil.which("apt-get"):
        return
    wanted = [name for language in languages for name in PACKAGES[language]]
    wanted += ["python3-numpy"]  # a foreign interpreter, for the tests: Debian's own
    if sys.base_prefix == "/usr":
        wanted += ["python3-dev", "python3-venv"]
    if "julia" in languages and not _has_debian_julia():
        wanted = [name for name in wanted if name not in PACKAGES["julia"]]
    lacking = sorted(set(wanted) - _installed(wanted))
    if not lacking:
        return
    root = _as_root()
    if root is None:
        say(f"cannot install system packages without root or sudo: {' '.join(lacking)}")
        return
    if "julia" in lacking:
        _add_bullseye(root)
        lacking = sorted({*lacking, "libunwind8"})  # installed or not: another version of it
    fixed = ["-y", "-q", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=600"]
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *fixed]
    say(f"system packages: {' '.join(lacking)}")
    step(
        f"installing {len(lacking)} system packages",
        [*apt, "update"],
        [*apt, "install", "--no-install-recommends", "--allow-downgrades", *lacking],
        log="system",
    )


def _has_debian_julia() -> bool:
    """Whether Julia here is, or can be, Debian's; a Julia of the user's own is left alone."""
    if _installed(["julia"]):
        return True
    release = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    return "VERSION_CODENAME=bookworm" in release and not shutil.which("julia")


def _add_bullseye(root: list[str]) -> None:
    files = {
        "/etc/apt/preferences.d/polyhost-bullseye": PINS,
        "/etc/apt/sources.list.d/polyhost-bullseye.sources": SOURCE.format(mirror=_mirror()),
    }
    for path, text in files.items():
        command = [*root, "tee", path]
        subprocess.run(command, input=text, text=True, stdout=subprocess.DEVNULL, check=True)


def _mirror() -> str:
    """The Debian mirror which apt uses here, from either notation of its sources."""
    folder = Path("/etc/apt")
    for file in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))):
        text = file.read_text() if file.is_file() else ""
        for uri in re.findall(r"^(?:URIs:|deb(?:\s+\[.*?\])?)\s+(\S+)", text, re.MULTILINE):
            if uri.rstrip("/").endswith("/debian"):
                return str(uri)
    raise StepFailed(f"no Debian mirror found in {folder}/sources.list and sources.list.d")


def _installed(packages: list[str]) -> set[str]:
    lines = output("dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n", *packages)
    return {line.split()[0] for line in lines.splitlines() if line.split()[1:] == ["ii"]}


def _as_root() -> list[str] | None:
    """What to put before a command so that root runs it; None when nobody can."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
    return sudo if works(*sudo, "true") else None
