"""What an environment is built from: the files of a code dir that say which packages it needs."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from polyhost.environments.mlflow_files import Listed, read_listed
from polyhost.errors import CodeDirError

logger = logging.getLogger(__name__)

REQUIREMENTS = "requirements.txt"
LOCK = "uv.lock"
PROJECT = "pyproject.toml"
VERSION = ".python-version"
INSTALLER_SETTINGS = "uv.toml"

FORMAT = 1
"""Of the digest: raised when environments that were built before shall not be used any more."""

_INCLUDES = re.compile(r"^(?:-r|-c|--requirement|--constraint)\s*=?\s*(\S+)")
_EDITABLE = re.compile(r"^(?:-e\s*|--editable[\s=]+)\S")
_LEFT_BY_BUILDS = re.compile(r"__pycache__|build|.*\.egg-info")
_COMMENT = re.compile(r"(?:^|\s)#.*$")


@dataclass(frozen=True)
class Recipe:
    """The requirements of one code dir.

    ``source``: the file that lists them: ``requirements.txt``, else ``uv.lock`` beside a
    ``pyproject.toml``, else the latter. ``python``: the interpreter that ``.python-version`` asks
    for (``3.10``), or the range that ``requires-python`` gives; None is the host's own.
    ``contents``: SHA-256 by name of every file that has a say.

    Of a folder that MLflow saved ``source`` is its ``python_env.yaml`` or ``conda.yaml``, and
    ``lines`` are the requirements in it; ``recorded``: ``python`` is the version that the model was
    saved with, for which another of the same minor version will do. ``more``: requirements from
    elsewhere, in pip's form. ``conda``: the file that conda itself is to install.
    """

    code_dir: Path
    source: str
    python: str | None
    contents: tuple[tuple[str, str], ...]
    lines: tuple[str, ...] = ()
    recorded: bool = False
    more: tuple[str, ...] = ()
    conda: Path | None = None

    @classmethod
    def read(cls, code_dir: Path, *, more: Sequence[str] = (), conda_first: bool = False) -> Recipe:
        """What the code dir says; CodeDirError when it lists no requirements."""
        listed = read_listed(code_dir, conda_first=conda_first)
        if listed is not None:
            return cls._of_mlflow(code_dir, listed, tuple(more))
        found = cls._of_code_dir(code_dir)
        return replace(found, more=tuple(more))

    @classmethod
    def _of_mlflow(cls, code_dir: Path, listed: Listed, more: tuple[str, ...]) -> Recipe:
        if listed.left_out:
            logger.warning(
                "%s in %s lists packages that only conda can install; they are left out: %s",
                listed.source,
                code_dir,
                ", ".join(listed.left_out),
            )
        contents = {listed.source: _hash_file(code_dir / listed.source)}
        seen: set[Path] = set()
        lines = []
        for line in listed.lines:
            contents.update(_of_line(code_dir, code_dir, listed.source, line, seen))
            included = _INCLUDES.match(line)
            if included and "://" not in included.group(1):  # read from another folder
                line = line.replace(included.group(1), str(code_dir / included.group(1)))
            lines.append(line)
        python = listed.python
        return cls(
            code_dir,
            listed.source,
            python,
            tuple(sorted(contents.items())),
            tuple(lines),
            python is not None,
            more,
        )

    @classmethod
    def _of_code_dir(cls, code_dir: Path) -> Recipe:
        source = _source(code_dir)
        names = [n for n in (PROJECT, LOCK, VERSION, INSTALLER_SETTINGS) if _is_file(code_dir, n)]
        contents = {name: _hash_file(code_dir / name) for name in names}
        if source == REQUIREMENTS:
            contents.update(_requirements(code_dir, code_dir / REQUIREMENTS, set()))
        return cls(code_dir, source, _python(code_dir), tuple(sorted(contents.items())))

    def digest(self, interpreter: str) -> str:
        """SHA-256 (hex) over the contents and the interpreter's identity."""
        facts = [FORMAT, interpreter, self.source, self.contents]
        if self.more or self.conda:
            facts += [self.more, self.conda is not None]
        text = json.dumps(facts)
        return hashlib.sha256(text.encode()).hexdigest()


def _source(code_dir: Path) -> str:
    if _is_file(code_dir, REQUIREMENTS):
        return REQUIREMENTS
    if _is_file(code_dir, PROJECT):
        return LOCK if _is_file(code_dir, LOCK) else PROJECT
    raise CodeDirError(
        f"no requirements in {code_dir}, and its env is uv: expected {REQUIREMENTS}, or "
        f"{PROJECT} with or without {LOCK}; found neither. Add {REQUIREMENTS}, or take env away.",
        code_dir=str(code_dir),
    )


def _is_file(code_dir: Path, name: str) -> bool:
    return (code_dir / name).is_file()


def _python(code_dir: Path) -> str | None:
    """The first line of ``.python-version`` that says something, else ``requires-python``."""
    if _is_file(code_dir, VERSION):
        lines = (code_dir / VERSION).read_text(encoding="utf-8").splitlines()
        said = [line for line in (_COMMENT.sub("", line).strip() for line in lines) if line]
        if said:
            return said[0]
    if _is_file(code_dir, PROJECT):
        text = (code_dir / PROJECT).read_text(encoding="utf-8")
        found = re.search(r"""^\s*requires-python\s*=\s*["']([^"'\n]+)["']""", text, re.MULTILINE)
        return found.group(1).strip() if found else None
    return None


def _requirements(code_dir: Path, file: Path, seen: set[Path]) -> Iterator[tuple[str, str]]:
    """The digest of a requirements file, of those it includes, and of local packages it names."""
    real = Path(os.path.normpath(file))
    if real in seen:
        return
    seen.add(real)
    yield _name(code_dir, real), _hash_file(real)
    for number, line in enumerate(_lines(real), 1):
        where = f"{_name(code_dir, real)}, requirement {number}"
        yield from _of_line(code_dir, real.parent, where, line, seen)


def _of_line(
    code_dir: Path, folder: Path, where: str, line: str, seen: set[Path]
) -> Iterator[tuple[str, str]]:
    """Digests of the files that one requirement names."""
    if _EDITABLE.match(line):
        raise CodeDirError(
            f"{where}: {line!r} is editable, so that the environment would change with its folder. "
            "Expected a package that can be installed: leave out -e.",
            code_dir=str(code_dir),
        )
    included = _INCLUDES.match(line)
    if included and "://" not in included.group(1):
        yield from _requirements(code_dir, folder / included.group(1), seen)
    elif not line.startswith("-"):
        yield from _local_package(code_dir, line)


def _lines(file: Path) -> list[str]:
    """The lines of a requirements file, joined where they end in a backslash, without comments."""
    try:
        text = file.read_text(encoding="utf-8-sig").replace("\\\n", " ")
    except (OSError, UnicodeDecodeError) as error:
        raise CodeDirError(
            f"cannot read the requirements in {file}: {error}. Expected a text file in UTF-8."
        ) from error
    stripped = (_COMMENT.sub("", line).strip() for line in text.splitlines())
    return [line for line in stripped if line]


def _local_package(code_dir: Path, line: str) -> Iterator[tuple[str, str]]:
    """Digest of what a requirement names by path (``./pkg``, ``w.whl``, ``name @ file:...``)."""
    text = line.partition(" @ ")[2] or line
    text = text.split(";")[0].split(" --")[0].strip().partition("[")[0]
    text = text[len("file://") :] if text.startswith("file://") else text
    if "://" in text or not ("/" in text or text.endswith((".whl", ".tar.gz", ".zip", "."))):
        return
    path = Path(os.path.normpath(code_dir / text))
    if path.is_dir():
        for place, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not _LEFT_BY_BUILDS.fullmatch(name))
            for name in sorted(names):
                file = Path(place) / name
                if file.is_file():
                    yield _name(code_dir, file), _hash_file(file)
    elif path.is_file():
        yield _name(code_dir, path), _hash_file(path)


def _name(code_dir: Path, file: Path) -> str:
    return os.path.relpath(file, code_dir)


def _hash_file(file: Path) -> str:
    digest = hashlib.sha256()
    try:
        with open(file, "rb") as source:
            while block := source.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise CodeDirError(f"cannot read {file}: {error.strerror or error}.") from error
    return digest.hexdigest()
