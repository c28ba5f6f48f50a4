"""Environments on disk: built in place under a lock, usable once their note is there, held in use.

```
ROOT/lock                 held for a moment by whoever collects
ROOT/DIGEST.lock          exclusive: it is being built or removed; shared: it is in use
ROOT/DIGEST/venv/         the environment; a virtual environment cannot be moved, so it is built here
        /build.log        what the installers said
        /facts.json       written last, by one rename: without it the environment does not count
```

Every lock is the kernel's (flock), so a killed process leaves none; what it had begun is begun anew
by the next. The time of a lock file is that of the last use.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from polyhost.environments.building import LIMIT, Abandoned, Build
from polyhost.environments.installers import (
    INSTALL_UV,
    Conda,
    Installer,
    Uv,
    VenvAndPip,
    find_conda,
    find_uv,
    interpreter_of,
)
from polyhost.environments.interpreter import Interpreter, find, find_recorded, probe
from polyhost.environments.mlflow_files import conda_file
from polyhost.environments.recipe import Recipe
from polyhost.errors import EnvironmentFailed
from polyhost.files.locks import HeldLock, locked, take
from polyhost.files.replace import write_whole

logger = logging.getLogger(__name__)

UV, VIRTUALENV, CONDA = "uv", "virtualenv", "conda"
MANAGERS = (UV, VIRTUALENV, CONDA)
"""What may build an environment: uv (else venv and pip); venv and pip; conda, mamba or micromamba,
where one is present, else the pip part of the conda file."""

KEEP = 5
"""Environments kept although they are not in use: those used last."""
LOOK = 0.1
AT_ONCE = 2
"""Builds that this process runs at once; the others wait."""

_threads = ThreadPoolExecutor(64, "polyhost-environment")
_builds = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Environment:
    """An environment in use; stays until :meth:`release`."""

    digest: str
    folder: Path
    held: HeldLock

    @property
    def python(self) -> str:
        """Path of its interpreter."""
        return str(interpreter_of(self.folder / "venv"))

    @property
    def variables(self) -> dict[str, str]:
        """What a process that runs in it has in its environment."""
        venv = self.folder / "venv"
        path = os.environ.get("PATH", os.defpath)
        # Empty is as good as not set: the host's own packages are not the model's.
        return {"VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}:{path}", "PYTHONPATH": ""}

    def release(self) -> None:
        """It is used no more; it stays until it is collected."""
        self.held.release()


class Environments:
    """A folder of environments, shared by any number of processes."""

    def __init__(self, root: Path | None = None, keep: int = KEEP) -> None:
        self.root = Path(root or default_root()).absolute()
        self.keep = keep

    async def obtain(self, code_dir: Path, manager: str = UV) -> Environment:
        """The environment of a code dir, built when it is not there; ended when cancelled.

        ``manager``: one of :data:`MANAGERS`. CodeDirError: the requirements are missing or wrong.
        EnvironmentFailed: not built.
        """
        stop = threading.Event()
        work = _threads.submit(self.get, code_dir, stop, manager)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            stop.set()
            work.add_done_callback(
                lambda done: (
                    done.result().release()
                    if not done.cancelled() and done.exception() is None
                    else None
                )
            )
            raise

    def get(
        self,
        code_dir: Path,
        stop: threading.Event | None = None,
        manager: str = UV,
        more: Sequence[str] = (),
    ) -> Environment:
        """As :meth:`obtain`, for a thread that may wait; ``stop`` has it raise Abandoned.

        ``more``: requirements beside the code dir's own.
        """
        stop = stop or threading.Event()
        recipe = Recipe.read(code_dir, more=more, conda_first=manager == CONDA)
        installer, interpreter = _choose(recipe, manager)
        if isinstance(installer, Conda):
            recipe = replace(recipe, conda=conda_file(code_dir))
        digest = recipe.digest(interpreter.identity)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            return self._get(recipe, digest, interpreter, installer, stop)
        except OSError as error:
            raise EnvironmentFailed(
                f"cannot make an environment in {self.root}: {error.strerror or error}. "
                "Look at the space left and the permissions there.",
                step="making the environment",
                output=str(error),
            ) from error

    def _get(
        self,
        recipe: Recipe,
        digest: str,
        interpreter: Interpreter,
        installer: Installer,
        stop: threading.Event,
    ) -> Environment:
        folder, lock = self._folder(digest), self._lock(digest)
        until = time.monotonic() + LIMIT
        while not stop.is_set():
            shared = take(lock, shared=True, wait=False)
            if shared is not None and is_complete(folder):
                _note_use(lock)
                return Environment(digest, folder, shared)
            if shared is not None:
                shared.release()
            alone = take(lock, wait=False)
            if alone is not None:
                try:
                    if not is_complete(folder):
                        self._build(folder, recipe, interpreter, installer, stop, alone)
                finally:
                    alone.release()
                continue
            if time.monotonic() > until:
                raise EnvironmentFailed(
                    f"another process has been building {folder} for {LIMIT:g} s. "
                    "End it, or remove the folder.",
                    step="waiting for another process",
                    output="",
                )
            stop.wait(LOOK)
        raise Abandoned

    def _build(
        self,
        folder: Path,
        recipe: Recipe,
        interpreter: Interpreter,
        installer: Installer,
        stop: threading.Event,
        alone: HeldLock,
    ) -> None:
        while not _builds.acquire(timeout=LOOK):
            if stop.is_set():
                raise Abandoned
        try:
            logger.warning(
                "building an environment for %s: %s, %s",
                recipe.code_dir,
                recipe.source,
                interpreter.tag,
            )
            started = time.monotonic()
            _remove(folder)
            folder.mkdir()
            Build(folder, recipe, stop, alone.fileno()).run(installer, interpreter.path)
            _write_facts(folder, recipe, interpreter)
        except BaseException:
            _remove(folder)
            raise
        finally:
            _builds.release()
        logger.warning("built in %.1f s: %s", time.monotonic() - started, folder)
        self.collect()

    def collect(self) -> tuple[str, ...]:
        """Remove those not in use, except the ``keep`` used last; return their digests."""
        gone: list[str] = []
        unused = 0
        with locked(self.root / "lock"):
            for digest in self._by_use():
                alone = take(self._lock(digest), wait=False)
                if alone is None:
                    continue
                try:
                    unused += 1
                    if unused > self.keep:
                        _remove(self._folder(digest))
                        gone.append(digest)
                finally:
                    alone.release()
        return tuple(gone)

    def _by_use(self) -> list[str]:
        """Digests of what is there, the last used first."""
        found = [path for path in self.root.glob("*.lock") if self._folder(path.stem).exists()]
        found.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [path.stem for path in found]

    def _folder(self, digest: str) -> Path:
        return self.root / digest

    def _lock(self, digest: str) -> Path:
        return self.root / f"{digest}.lock"


def default_root() -> Path:
    """Environments in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "polyhost" / "environments"


def is_complete(folder: Path) -> bool:
    """It was built to its end, and its interpreter is still there."""
    return (folder / "facts.json").is_file() and interpreter_of(folder / "venv").exists()


def _choose(recipe: Recipe, manager: str) -> tuple[Installer, Interpreter]:
    """What makes the environment, and of which interpreter."""
    conda = find_conda() if manager == CONDA and conda_file(recipe.code_dir) else None
    if conda is not None:
        return conda, probe(sys.executable)  # conda brings its own
    uv = find_uv()
    if recipe.python is not None and recipe.recorded:
        interpreter = find_recorded(recipe.python, uv)
    else:
        interpreter = find(recipe.python, uv)
    return _installer(uv, manager), interpreter


def _installer(uv: Uv | None, manager: str) -> Installer:
    if manager == VIRTUALENV:
        return VenvAndPip()
    if uv is not None:
        return uv
    logger.warning(
        "uv is not installed: using venv and pip, which are slower. To install it: %s", INSTALL_UV
    )
    return VenvAndPip()


def _write_facts(folder: Path, recipe: Recipe, interpreter: Interpreter) -> None:
    facts = {
        "made": time.time(),
        "code_dir": str(recipe.code_dir),
        "source": recipe.source,
        "interpreter": interpreter.identity,
    }
    write_whole(folder / "facts.json", json.dumps(facts).encode("utf-8"))


def _remove(folder: Path) -> None:
    """The note goes first: half an environment never counts."""
    (folder / "facts.json").unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def _note_use(lock: Path) -> None:
    now = time.time_ns()  # finer than the clock that the kernel stamps files with
    os.utime(lock, ns=(now, now))
