"""Who makes environments: uv where it is installed, else the standard venv and pip."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from polyhost.environments import recipe as names
from polyhost.environments.recipe import Recipe
from polyhost.errors import EnvironmentFailed

INSTALL_UV = "pip install 'polyhost[uv]'"
FIND_LIMIT = 60.0

HIDDEN = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "UV_PROJECT", "PIP_TARGET")
"""Variables of the host that would lead an installer to another environment."""


@dataclass(frozen=True)
class Step:
    """A command, and what it is for, as an error would name it."""

    what: str
    command: tuple[str, ...]


class Installer(Protocol):
    """Gives the commands; runs none."""

    def make(self, python: str, folder: Path) -> Step:
        """Make an empty environment in a folder that is not there yet."""
        ...

    def install(self, recipe: Recipe, folder: Path, scratch: Path) -> tuple[Step, ...]:
        """Install what the recipe lists; run in the code dir. ``scratch`` is a file to use."""
        ...

    def add(self, package: str, folder: Path) -> Step:
        """Install one package more."""
        ...


@dataclass(frozen=True)
class Uv:
    """uv, at a path."""

    path: str

    def make(self, python: str, folder: Path) -> Step:
        command = (self.path, "venv", "--no-project", "--python", python, str(folder))
        return Step("making the environment", command)

    def install(self, recipe: Recipe, folder: Path, scratch: Path) -> tuple[Step, ...]:
        more = _more(recipe, scratch)
        if recipe.source != names.LOCK:
            arguments = (*_listed(recipe, scratch), *more)
            return (self._pip(f"installing {recipe.source}", folder, *arguments),) * bool(arguments)
        export = (self.path, "export", "--quiet", "--locked", "--no-emit-project", "--no-dev")
        form = ("--format", "requirements-txt", "--output-file", str(scratch))
        python = ("--python", str(interpreter_of(folder)))
        return (
            Step("reading uv.lock", (*export, *form, *python)),
            self._pip("installing uv.lock", folder, "-r", str(scratch), *more),
        )

    def add(self, package: str, folder: Path) -> Step:
        return self._pip(f"installing {package}", folder, package)

    def _pip(self, what: str, folder: Path, *arguments: str) -> Step:
        python = str(interpreter_of(folder))
        # Compiled once here: whoever runs the worker may not be allowed to write there.
        options = ("--python", python, "--compile-bytecode")
        return Step(what, (self.path, "pip", "install", *options, *arguments))

    def find_python(self, wanted: str) -> tuple[str | None, str]:
        """An installed interpreter, or None and what uv said."""
        command = [self.path, "python", "find", "--no-python-downloads", "--no-project", wanted]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env={**installer_environment(), "PATH": interpreter_path()},
            timeout=FIND_LIMIT,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout.strip(), ""
        return None, done.stderr.strip().partition("\n")[0].removeprefix("error: ")


class VenvAndPip:
    """Python's own venv, and the pip it brings. Reads requirements.txt only."""

    def make(self, python: str, folder: Path) -> Step:
        return Step("making the environment", (python, "-m", "venv", str(folder)))

    def install(self, recipe: Recipe, folder: Path, scratch: Path) -> tuple[Step, ...]:
        if recipe.source in (names.LOCK, names.PROJECT):
            raise EnvironmentFailed(
                f"{recipe.source} in {recipe.code_dir} needs uv, which is not installed. "
                f"Install it: {INSTALL_UV}; or add {names.REQUIREMENTS}.",
                step=f"installing {recipe.source}",
                output="",
            )
        arguments = (*_listed(recipe, scratch), *_more(recipe, scratch))
        return (self._pip(f"installing {recipe.source}", folder, *arguments),) * bool(arguments)

    def add(self, package: str, folder: Path) -> Step:
        return self._pip(f"installing {package}", folder, package)

    def _pip(self, what: str, folder: Path, *arguments: str) -> Step:
        python = str(interpreter_of(folder))
        options = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off")
        return Step(what, (python, "-m", "pip", "install", *options, *arguments))


@dataclass(frozen=True)
class Conda:
    """conda, mamba or micromamba, at a path: it brings the interpreter, too."""

    path: str

    def make(self, python: str, folder: Path) -> Step:
        """The interpreter is conda's own: ``python`` has no say."""
        return Step("starting conda", (self.path, "--version"))

    def install(self, recipe: Recipe, folder: Path, scratch: Path) -> tuple[Step, ...]:
        assert recipe.conda is not None
        verb = ("create", "--yes") if Path(self.path).name == "micromamba" else ("env", "create")
        place = ("--prefix", str(folder), "--file", str(recipe.conda))
        steps = [Step(f"installing {recipe.conda.name}", (self.path, *verb, *place))]
        more = _more(recipe, scratch)
        if more:
            steps.append(self._pip("installing more requirements", folder, *more))
        return tuple(steps)

    def add(self, package: str, folder: Path) -> Step:
        return self._pip(f"installing {package}", folder, package)

    def _pip(self, what: str, folder: Path, *arguments: str) -> Step:
        return VenvAndPip()._pip(what, folder, *arguments)


def _listed(recipe: Recipe, scratch: Path) -> tuple[str, ...]:
    """Arguments that install what the recipe's own file lists."""
    if recipe.source in (names.REQUIREMENTS, names.PROJECT):
        return ("-r", recipe.source)
    if not recipe.lines:
        return ()
    scratch.write_text("".join(f"{line}\n" for line in recipe.lines), encoding="utf-8")
    return ("-r", str(scratch))


def _more(recipe: Recipe, scratch: Path) -> tuple[str, ...]:
    """Arguments that install what was asked for beside."""
    if not recipe.more:
        return ()
    file = scratch.with_name("more.txt")
    file.write_text("".join(f"{line}\n" for line in recipe.more), encoding="utf-8")
    return ("-r", str(file))


def find_conda() -> Conda | None:
    """micromamba, mamba or conda, on the PATH or where their own variables say."""
    places = [os.environ.get("MAMBA_EXE"), os.environ.get("CONDA_EXE")]
    found = [shutil.which(name) for name in ("micromamba", "mamba", "conda")]
    return next((Conda(path) for path in (*found, *places) if path and os.path.exists(path)), None)


def find_uv() -> Uv | None:
    """uv as a package of our own interpreter, else on the PATH."""
    try:
        import uv

        return Uv(os.fspath(uv.find_uv_bin()))
    except (ImportError, FileNotFoundError):
        path = shutil.which("uv")
        return Uv(path) if path else None


def interpreter_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def interpreter_path() -> str:
    """The PATH for interpreters: pyenv's own folders, of every version it has, in place of its
    shims, which start none but the version chosen there."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    shims = os.path.realpath(root / "shims")
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    kept = [place for place in path if os.path.realpath(place) != shims]
    versions = sorted(root.glob("versions/*/bin"), key=_version_of, reverse=True)
    return os.pathsep.join([*kept, *map(str, versions)])


def _version_of(place: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", place.parent.name))


def installer_environment() -> dict[str, str]:
    """Ours (with the proxies, indexes and credentials that are set), led nowhere else."""
    env = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    return {**env, "UV_NO_PROGRESS": "1", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
