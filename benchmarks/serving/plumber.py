"""Debian's plumber and what it needs, unpacked beside the other peers: nothing is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import environments

NAME = "plumber"


def folder() -> Path:
    return environments.cache() / NAME


def make() -> None:
    """Fetch and unpack; an error says what apt said."""
    if (folder() / "usr").exists():
        return
    shutil.rmtree(folder(), ignore_errors=True)
    folder().mkdir(parents=True)
    plan = _run("apt-get", "install", "--simulate", "--no-install-recommends", "r-cran-plumber")
    packages = re.findall(r"^Inst (\S+)", plan, re.MULTILINE)
    if packages:
        _run("apt-get", "download", *packages)
    for package in folder().glob("*.deb"):
        _run("dpkg-deb", "--extract", str(package), ".")
        package.unlink()


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=folder(), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def variables() -> Mapping[str, str]:
    """What lets R find it."""
    libraries = (folder() / "usr/lib").glob("*-linux-gnu")
    found = os.pathsep.join([*map(str, libraries), os.environ.get("LD_LIBRARY_PATH", "")])
    return {"R_LIBS": str(folder() / "usr/lib/R/site-library"), "LD_LIBRARY_PATH": found}
