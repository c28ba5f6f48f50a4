"""What the R bridge needs installed: where R is, what its process must have in its environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from polyhost.bridges.doctor import Finding

INSTALL_R = "apt-get install r-base-dev"
INSTALL_RPY2 = "pip install 'polyhost[r]'"

_ASK = """
cat("polyhost", R.home(), as.character(getRversion()), Sys.getenv("LD_LIBRARY_PATH"),
    Sys.getenv("R_LIBS_USER"), Sys.getenv("R_LIBS_SITE"), sep = "\\n")
"""


@lru_cache(maxsize=1)
def _ask_r() -> Optional[Tuple[str, ...]]:
    """R's home, version, LD_LIBRARY_PATH, R_LIBS_USER and R_LIBS_SITE; None when there is no R."""
    program = shutil.which("Rscript")
    if program is None:
        return None
    command = [program, "--no-init-file", "--no-save", "--no-restore", "-e", _ASK]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = ran.stdout.split("polyhost\n", 1)[-1].split("\n")
    return tuple(lines[:5]) if len(lines) >= 5 else None


def environment() -> Dict[str, str]:
    """What must be in a process's environment before R starts in it; empty when there is no R.

    Starting R with ``--vanilla`` skips the files that name the user's package library, so it is
    named here.
    """
    found = _ask_r()
    if found is None:
        return {}
    home, _, libraries, user, site = found
    wanted = {
        "R_HOME": home,
        "LD_LIBRARY_PATH": ":".join(filter(None, (_python_library(), libraries))),
        "R_LIBS_USER": user,
        "R_LIBS_SITE": site,
        "TZ": os.environ.get("TZ") or _time_zone(),
    }
    if not _is_utf8():
        wanted["LC_ALL"] = "C.UTF-8"
    return {name: value for name, value in wanted.items() if value}


def _python_library() -> str:
    """Where this Python's own shared library is, if it has one.

    The folders that R asks for may hold the library of another Python, such as the system's, which
    the interpreter would then take for its own.
    """
    shared = sysconfig.get_config_var("Py_ENABLE_SHARED")
    return str(sysconfig.get_config_var("LIBDIR") or "") if shared else ""


def restore_library_path() -> None:
    """Put this Python's own library first again, for processes that this one starts: R and rpy2
    have put R's folders before it."""
    own = _python_library()
    folders = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    if own and own != folders[0]:
        os.environ["LD_LIBRARY_PATH"] = ":".join(filter(None, (own, *folders)))


def _time_zone() -> str:
    """The machine's; without TZ, R would ask systemd, which prints errors where there is none."""
    target = os.path.realpath("/etc/localtime")
    _, found, zone = target.partition("/zoneinfo/")
    return zone if found else "UTC"


def _is_utf8() -> bool:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = os.environ.get(name)
        if value:
            return bool(re.search(r"utf-?8", value, re.IGNORECASE))
    return False


def unusable() -> Optional[str]:
    """Why R cannot be used here, with the command that fixes it; None when it can."""
    for finding in _runtime_findings():
        if not finding.ok:
            return f"{finding.what} is not usable: {finding.found}. Install with: {finding.fix}"
    return None


def doctor() -> List[Finding]:
    """What is there of R, rpy2 and the R packages that the bridge uses. Starts no R in here."""
    findings = _runtime_findings()
    if findings[0].ok:
        findings += [_package(name) for name in ("caret", "recipes", "Matrix")]
    return findings


def _runtime_findings() -> List[Finding]:
    return [_r(), *([_shared_library(), _rpy2()] if _ask_r() else [_rpy2()])]


def _r() -> Finding:
    found = _ask_r()
    if found is None:
        return Finding("R", False, "no working Rscript on the PATH", INSTALL_R)
    return Finding("R", True, f"R {found[1]} in {found[0]}")


def _shared_library() -> Finding:
    found = _ask_r()
    assert found is not None
    library = Path(found[0]) / "lib" / "libR.so"
    if library.exists() or library.with_suffix(".dylib").exists():
        return Finding("R's shared library", True, str(library))
    fix = f"{INSTALL_R} (or build R with --enable-R-shlib)"
    return Finding("R's shared library", False, f"no {library}", fix)


def _rpy2() -> Finding:
    try:
        version = metadata.version("rpy2")
    except metadata.PackageNotFoundError:
        return Finding("rpy2", False, "not installed", INSTALL_RPY2)
    found = _ask_r()
    if found and _numbers(version) >= (3, 6) and _numbers(found[1]) < (4, 5):
        return Finding(
            "rpy2",
            False,
            f"rpy2 {version} needs R 4.5 or later, and R here is {found[1]}",
            "pip install 'rpy2>=3.5.11,<3.6'",
        )
    return Finding("rpy2", True, f"rpy2 {version}")


def _numbers(version: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _package(name: str) -> Finding:
    """Whether an R package is installed, without starting R: its folder is in a library."""
    found = environment()
    libraries = [found["R_HOME"] + "/library"]
    for variable in ("R_LIBS_USER", "R_LIBS_SITE"):
        libraries += os.environ.get(variable, found.get(variable, "")).split(":")
    for library in filter(None, libraries):
        description = Path(library).expanduser() / name / "DESCRIPTION"
        if description.exists():
            text = description.read_text(encoding="utf-8", errors="replace")
            version = re.search(r"^Version: *(\S+)", text, re.MULTILINE)
            return Finding(f"R package {name}", True, version.group(1) if version else "")
    fix = f"apt-get install r-cran-{name.lower()}"
    return Finding(f"R package {name}", False, "not installed", fix)
