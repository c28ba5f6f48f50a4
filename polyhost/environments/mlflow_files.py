"""What a folder that MLflow saved says of its environment: ``python_env.yaml``, ``conda.yaml``.

The files have the names that ``MLmodel`` gives them, and else MLflow's usual ones.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from polyhost.errors import CodeDirError

logger = logging.getLogger(__name__)

MLMODEL = "MLmodel"
PYTHON_ENV, CONDA = "python_env.yaml", "conda.yaml"
_BUILD_TOOLS = ("pip", "setuptools", "wheel")
_PYTHON = re.compile(r"python\s*(?:[=<>]=?\s*(\d+(?:\.\d+){0,2})(?:[.*]*|=\S*)?.*)?")
_PIN = re.compile(r"([A-Za-z0-9_.-]+)\s*([=<>!~]=?)?\s*([^=\s]+)?.*")


@dataclass(frozen=True)
class Listed:
    """What one file lists. ``lines`` are those of a requirements file; ``left_out`` are packages of
    conda's that pip cannot install."""

    source: str
    python: str | None
    lines: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def read_listed(code_dir: Path, *, conda_first: bool = False) -> Listed | None:
    """What the folder's own files list; None where it is not MLflow's, or has only
    ``requirements.txt``. CodeDirError for files that cannot be read."""
    if not (code_dir / MLMODEL).is_file():
        return None
    python_env, conda = _names(_mapping(code_dir, MLMODEL))
    ways = [(python_env, _of_python_env), (conda, _of_conda)]
    for name, read in reversed(ways) if conda_first else ways:
        if (code_dir / name).is_file():
            return read(name, _mapping(code_dir, name))
    return None


def conda_file(code_dir: Path) -> Path | None:
    """The conda file of a folder that MLflow saved."""
    if not (code_dir / MLMODEL).is_file():
        return None
    path = code_dir / _names(_mapping(code_dir, MLMODEL))[1]
    return path if path.is_file() else None


def _names(saved: Mapping[str, Any]) -> tuple[str, str]:
    """The names of both files."""
    flavors = saved.get("flavors")
    pyfunc = flavors.get("python_function") if isinstance(flavors, Mapping) else None
    env = pyfunc.get("env") if isinstance(pyfunc, Mapping) else None
    if isinstance(env, str):
        return PYTHON_ENV, _inside(env)
    if isinstance(env, Mapping):
        found = [env.get("virtualenv"), env.get("conda")]
        names = [name if isinstance(name, str) else None for name in found]
        return _inside(names[0] or PYTHON_ENV), _inside(names[1] or CONDA)
    return PYTHON_ENV, CONDA


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise CodeDirError(
            f"{MLMODEL} names the environment file {name!r}: expected a file of the model's folder."
        )
    return name


def _mapping(code_dir: Path, name: str) -> Mapping[str, Any]:
    path = code_dir / name
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise CodeDirError(f"cannot read {path}: {error}.", code_dir=str(code_dir)) from error
    if not isinstance(found, Mapping):
        raise CodeDirError(f"cannot read {path}: expected a mapping.", code_dir=str(code_dir))
    return found


def _texts(value: Any, name: str, key: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, (str, int, float)) for one in value):
        raise CodeDirError(f"{name}: expected a list of texts as {key}.")
    return [str(one).strip() for one in value]


def _of_python_env(name: str, found: Mapping[str, Any]) -> Listed:
    python = found.get("python")
    build = _texts(found.get("build_dependencies"), name, "build_dependencies")
    lines = [*build, *_texts(found.get("dependencies"), name, "dependencies")]
    return Listed(name, None if python is None else str(python), tuple(lines))


def _of_conda(name: str, found: Mapping[str, Any]) -> Listed:
    python: str | None = None
    lines: list[str] = []
    left_out: list[str] = []
    dependencies = found.get("dependencies")
    if not isinstance(dependencies, list):
        raise CodeDirError(f"{name}: expected a list of dependencies.")
    for entry in dependencies:
        if isinstance(entry, Mapping):
            lines += _texts(entry.get("pip"), name, "pip")
            continue
        text = str(entry).rpartition("::")[2].strip()
        match = _PYTHON.fullmatch(text)
        if match is not None:
            python = match.group(1) or python
        elif text.split("=")[0].strip("<>~! ").split("<")[0].split(">")[0] in _BUILD_TOOLS:
            lines += _tool(text)
        else:
            left_out.append(text)
    return Listed(name, python, tuple(lines), tuple(left_out))


def _tool(text: str) -> list[str]:
    """A requirement of pip's for a build tool; conda's ``pip=23.2`` is pip's ``pip==23.2``."""
    match = _PIN.fullmatch(text)
    if match is None or match.group(2) is None:
        return []
    tool, mark, version = match.groups()
    return [f"{tool}{'==' if mark == '=' else mark}{version}"]
