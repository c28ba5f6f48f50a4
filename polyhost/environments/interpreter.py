"""Interpreters that environments are made of: found by version, and distinguished."""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

from polyhost.environments.installers import Uv, interpreter_path
from polyhost.errors import EnvironmentFailed

logger = logging.getLogger(__name__)

OLDEST = (3, 8)
"""What the worker's own code needs."""

_PROBE = (
    "import json, platform, sys; print(json.dumps([platform.python_implementation(), "
    "platform.python_version(), getattr(sys, '_base_executable', sys.executable), "
    "platform.machine()]))"
)
PROBE_LIMIT = 60.0


@dataclass(frozen=True)
class Interpreter:
    """A Python: the path that starts it, and what distinguishes it from others."""

    path: str
    implementation: str
    version: str
    base: str
    machine: str

    @property
    def identity(self) -> str:
        """The same for interpreters whose environments may be shared."""
        return f"{self.implementation} {self.version} {self.machine} {os.path.realpath(self.base)}"

    @property
    def tag(self) -> str:
        return f"{self.implementation} {self.version}"


def find(wanted: str | None, uv: Uv | None) -> Interpreter:
    """The interpreter asked for (``3.10``, ``>=3.9,<3.12``), None: that of the host.

    EnvironmentFailed when there is none here: none is downloaded.
    """
    if wanted is None:
        return probe(sys.executable)
    if uv is None:
        return _find_by_name(wanted)
    path, said = uv.find_python(wanted)
    if path is None:
        raise _none(wanted, said, f"uv python install {_plain(wanted)}")
    return probe(path)


def find_recorded(wanted: str, uv: Uv | None) -> Interpreter:
    """The interpreter of the version that a model was saved with (``3.8.18``), else one of the same
    minor version, with a warning. EnvironmentFailed when there is neither."""
    minor = ".".join(wanted.split(".")[:2])
    try:
        return find(wanted, uv)
    except EnvironmentFailed:
        if minor == wanted:
            raise
    found = find(minor, uv)
    logger.warning("no Python %s here: using %s, %s", wanted, found.version, found.path)
    return found


def _find_by_name(wanted: str) -> Interpreter:
    """Without uv: the host's own where it fits, else ``pythonX.Y`` on the PATH."""
    plain = re.fullmatch(r"3(\.\d+){0,2}", wanted)
    names = [sys.executable]
    if plain:
        names += [f"python{wanted}", f"python{'.'.join(wanted.split('.')[:2])}"]
    path = interpreter_path()
    for name in names:
        place = shutil.which(name, path=path)
        if place is None:
            continue
        found = probe(place)
        if plain and (found.version + ".").startswith(wanted + "."):
            return found
    said = "" if plain else "without uv only a version such as 3.10 is understood"
    raise _none(wanted, said, "pip install 'polyhost[uv]' and uv python install " + _plain(wanted))


def _plain(wanted: str) -> str:
    return wanted if re.fullmatch(r"[\w.]+", wanted) else f"'{wanted}'"


def _none(wanted: str, said: str, fix: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"no Python {wanted} here, which the model asks for (.python-version, requires-python)"
        f"{': ' + said if said else ''}. Install it ({fix}), or change what the model asks for.",
        step="finding the interpreter",
        output=said,
    )


def probe(path: str) -> Interpreter:
    """What an interpreter says of itself; EnvironmentFailed when it does not start or is too old."""
    try:
        stamp = os.stat(path).st_mtime_ns
    except OSError as error:
        raise _does_not_start(path, str(error)) from error
    return _probe(path, stamp)


@functools.lru_cache(maxsize=64)
def _probe(path: str, _stamp: int) -> Interpreter:
    command = [path, "-I", "-c", _PROBE]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PROBE_LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _does_not_start(path, str(error)) from error
    if done.returncode != 0:
        raise _does_not_start(path, done.stderr.strip())
    found = Interpreter(path, *json.loads(done.stdout))
    if tuple(int(part) for part in found.version.split(".")[:2]) < OLDEST:
        raise EnvironmentFailed(
            f"the interpreter {path} is {found.tag}: expected Python "
            f"{'.'.join(map(str, OLDEST))} or later.",
            step="finding the interpreter",
            output="",
        )
    return found


def _does_not_start(path: str, why: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"the interpreter {path} does not start: {why}. Fix it, or choose another.",
        step="finding the interpreter",
        output=why,
    )
