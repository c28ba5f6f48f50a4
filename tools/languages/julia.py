"""Julia, which Debian dropped: its last one, bullseye's, is installed where there is none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from language import Apt, Check, Language, Runner

from debian import installed, mirror
from shell import StepFailed, works

FOLDER = "runtimes/julia"
JULIA = ("julia", "--startup-file=no")
FORMAT = f"""
using JuliaFormatter
exit(format("{FOLDER}"; overwrite=%s) ? 0 : %d)
"""

# Nothing else shall come from bullseye, hence the low priority. Julia 1.5 dies of any exception
# with a later libunwind, so that one is held where it works.
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


def prepare() -> None:
    """See that Julia runs and survives an exception, which a wrong libunwind makes fatal."""
    if not works(*JULIA, "-e", "try error() catch end"):
        raise StepFailed(
            "needs Julia 1.5 or later on the PATH (https://julialang.org/downloads); "
            "`julia -e 'try error() catch end'` did not succeed"
        )


def usable() -> bool:
    """Whether Julia here is, or can be, Debian's; a Julia of the user's own is left alone."""
    if installed(["julia"]):
        return True
    release = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    return "VERSION_CODENAME=bookworm" in release and not shutil.which("julia")


def add_bullseye(root: list[str]) -> None:
    """Add the source, and what keeps everything else from coming from there."""
    files = {
        "/etc/apt/preferences.d/polyhost-bullseye": PINS,
        "/etc/apt/sources.list.d/polyhost-bullseye.sources": SOURCE.format(mirror=mirror()),
    }
    for path, text in files.items():
        command = [*root, "tee", path]
        subprocess.run(command, input=text, text=True, stdout=subprocess.DEVNULL, check=True)


LANGUAGE = Language(
    name="julia",
    apt=Apt(
        ("julia", "libjulia-dev", "libunwind8"),
        usable=usable,
        add_source=add_bullseye,
        held=("libunwind8",),
    ),
    prepare=prepare,
    runner=Runner(
        "julia",
        "Test",
        (*JULIA, f"--project={FOLDER}", f"{FOLDER}/test/runtests.jl"),
        r"^Test Summary:.*\n.*$",
        f"{FOLDER}/test",
    ),
    checks=(
        Check(
            "JuliaFormatter",
            f"{FOLDER}/src",
            (*JULIA, "-e", "using JuliaFormatter"),
            (*JULIA, "-e", FORMAT % ("false", 1)),
            (*JULIA, "-e", FORMAT % ("true", 0)),
        ),
    ),
    wheel=("Project.toml", "Manifest.toml", "src"),
    extras=("julia",),
)
