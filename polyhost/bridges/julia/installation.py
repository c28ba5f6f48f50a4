"""Where Julia is, and the precompiled form of polyhost's Julia package.

Asking a ``julia`` executable for its library costs most of a second, and precompiling the package
several; both are done once and kept in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import List

from polyhost.bridges import native
from polyhost.bridges.doctor import Finding
from polyhost.errors import RuntimeUnavailable
from polyhost.files.locks import locked
from polyhost.files.replace import write_whole

EXECUTABLE_VARIABLE = "POLYHOST_JULIA"
SYSTEM_IMAGE_VARIABLE = "JULIA_SYS_IMAGE"
OPTIONS_VARIABLE = "JULIA_OPTIONS"
PREPARED_VARIABLE = "POLYHOST_JULIA_CACHE"
"""Names a cache folder that was filled before, when an image was built; it may be read-only."""
INSTALL_EXTRA = "pip install 'polyhost[julia]'"
INSTALL_JULIA = "install Julia 1.5 or later from https://julialang.org/downloads"

_QUESTION = """
using Libdl
debug = ccall(:jl_is_debugbuild, Cint, ()) != 0
image = unsafe_string(Base.JLOptions().image_file)
print(join((VERSION, Libdl.dlpath(debug ? "libjulia-debug" : "libjulia"), Sys.BINDIR, image), '\\n'))
"""


_OPTION = re.compile(
    r"-O[0-3]?|--optimize=[0-3]|--compile=(yes|no|all|min)|--inline=(yes|no)"
    r"|--math-mode=(ieee|fast|user)|--check-bounds=(auto|yes|no)|-g[0-2]?"
)


def options() -> List[str]:
    """What ``JULIA_OPTIONS`` asks for; RuntimeUnavailable for an option that Julia does not take.

    Julia ends the whole process at one that it does not know.
    """
    found = os.environ.get(OPTIONS_VARIABLE, "").split()
    for option in found:
        if not _OPTION.fullmatch(option):
            raise RuntimeUnavailable(
                f"{OPTIONS_VARIABLE} holds {option!r}: expected -O0 to -O3, --compile=, --inline=, "
                "--math-mode=, --check-bounds= or -g0 to -g2, separated by spaces.",
                language="julia",
                option=option,
            )
    return found


@dataclass(frozen=True)
class Installation:
    """One Julia: what embedding it needs to know."""

    executable: str
    version: str
    libjulia: str
    bindir: str
    sysimage: str


def find() -> Installation:
    """The Julia that ``POLYHOST_JULIA`` names, or the one on the path."""
    executable = _executable()
    status = os.stat(executable)
    key = _digest(executable, str(int(status.st_mtime)), os.environ.get(SYSTEM_IMAGE_VARIABLE, ""))
    name = f"installation-{key}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):  # absent, or of another version
        return Installation(**json.loads(_place_of(name).read_text("utf-8")))
    found = _ask(executable)
    write_whole(cache_folder() / name, json.dumps(asdict(found)).encode("utf-8"))
    return found


def prepare() -> Path:
    """Precompile the Julia package once; the depot that holds it. Safe to call from many processes."""
    installation = find()
    package = native.folder("julia")
    sources = map(_state, sorted(package.rglob("src/**/*.jl")))
    name = f"depot-{_digest(str(package))}-{installation.version}"
    mark = f"ready-{_digest(installation.libjulia, installation.sysimage, *sources)}"
    ready = _place_of(f"{name}/{mark}")
    depot = ready.parent
    if not ready.exists():
        depot.mkdir(parents=True, exist_ok=True)
        with locked(depot / "lock"):
            if not ready.exists():
                _precompile(installation, package, depot)
                ready.touch()
    return depot


def _state(path: Path) -> str:
    """What changes with a file. Whole seconds: the layers of an image keep no more."""
    status = path.stat()
    return f"{path}:{status.st_size}:{int(status.st_mtime)}"


def _place_of(name: str) -> Path:
    """A file of the cache: where an image's build left it, or in this user's folder."""
    prepared = os.environ.get(PREPARED_VARIABLE)
    if prepared and (Path(prepared) / name).exists():
        return Path(prepared) / name
    return cache_folder() / name


def findings() -> List[Finding]:
    """For ``polyhost doctor``."""
    try:
        installation = find()
        julia = Finding("Julia", True, f"{installation.version} ({installation.executable})")
    except RuntimeUnavailable as error:
        julia = Finding("Julia", False, error.message, INSTALL_JULIA)
    from importlib.util import find_spec

    extra = find_spec("julia") is not None
    return [
        julia,
        Finding("pyjulia", extra, "" if extra else "missing", INSTALL_EXTRA * (not extra)),
    ]


def cache_folder() -> Path:
    """A folder of this user's that can be written."""
    for root in (os.environ.get("XDG_CACHE_HOME"), os.path.expanduser("~/.cache")):
        if root and os.path.isabs(root):
            folder = Path(root) / "polyhost" / "julia"
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                if os.access(folder, os.W_OK):
                    return folder
    folder = Path(tempfile.gettempdir()) / f"polyhost-julia-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise RuntimeUnavailable(
            f"no folder for Julia's caches: {folder} belongs to another user. Set XDG_CACHE_HOME "
            "to a folder that can be written.",
            language="julia",
        )
    return folder


def _executable() -> str:
    named = os.environ.get(EXECUTABLE_VARIABLE)
    found = shutil.which(named or "julia")
    if found is None:
        where = f"{EXECUTABLE_VARIABLE} names {named!r}, which" if named else "there"
        reason = "cannot be run" if named else "is no julia on the path"
        raise RuntimeUnavailable(
            f"Julia models cannot be served here: {where} {reason}. Needed: {INSTALL_JULIA}, then "
            f"put it on the path or set {EXECUTABLE_VARIABLE}; and {INSTALL_EXTRA}.",
            language="julia",
        )
    return os.path.realpath(found)


def _ask(executable: str) -> Installation:
    image = os.environ.get(SYSTEM_IMAGE_VARIABLE, "")
    choice = [f"--sysimage={image}"] if os.path.isfile(image) else []
    lines = _run([executable, *choice, "--startup-file=no", "-O0", "-e", _QUESTION]).split("\n")
    version, libjulia, bindir, sysimage = lines[-4:]
    return Installation(executable, version, libjulia, bindir, os.path.abspath(sysimage))


def _precompile(installation: Installation, package: Path, depot: Path) -> None:
    code = (
        f"pushfirst!(DEPOT_PATH, {quoted(depot)}); push!(LOAD_PATH, {quoted(package)}); "
        # Not `using`: a cache in another depot would do for that, and may go away.
        'Base.compilecache(Base.identify_package("PolyHost"))'
    )
    image = f"--sysimage={installation.sysimage}"
    _run([installation.executable, image, "--startup-file=no", "-e", code])


def quoted(path: Path) -> str:
    """A path as a Julia string literal."""
    return json.dumps(str(path), ensure_ascii=False).replace("$", "\\$")


def _run(command: List[str]) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode == 0:
        return done.stdout.decode("utf-8")
    raise RuntimeUnavailable(
        f"{command[0]} ended with status {done.returncode} and said: "
        f"{done.stderr.decode('utf-8', 'replace').strip()}. Check that it runs, or set "
        f"{EXECUTABLE_VARIABLE} to another Julia.",
        language="julia",
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
