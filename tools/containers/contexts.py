"""The folders of ``dropin_envs/``: their files written from the shared parts, and build contexts.

A platform takes a folder by itself, so every folder holds all that its image is built from. What
the folders share lies once in ``dropin_envs/shared``: ``render`` copies the scripts and fills the
lines ``INCLUDE part`` of each ``Dockerfile.in``.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from shell import ROOT, StepFailed

FOLDER = ROOT / "dropin_envs"
SHARED = FOLDER / "shared"
START = "start_server.sh"
TRAIN = "fit.sh"
TRAINABLE = frozenset({"python", "r", "other"})
"""Languages whose models can be trained; ``other`` is all of them in one image."""
NOTE = "# Written by `tools/images.py render` from Dockerfile.in and the parts in ../shared.\n"


def names() -> list[str]:
    """The environments, in alphabetical order."""
    return sorted(path.parent.name for path in FOLDER.glob("*/Dockerfile.in"))


def folder_of(name: str) -> Path:
    """The folder of an environment; StepFailed where there is none."""
    if name not in names():
        raise StepFailed(
            f"no environment {name!r}: expected one of {', '.join(names())}. Give its folder's name."
        )
    return FOLDER / name


def tag_of(name: str) -> str:
    """The name of an environment's image."""
    return f"{info_of(name)['imageRepository']}:{version()}"


def info_of(name: str) -> dict[str, object]:
    """What the environment says of itself."""
    text = (folder_of(name) / "env_info.json").read_text(encoding="utf-8")
    found: dict[str, object] = json.loads(text)
    return found


def version() -> str:
    """The version of polyhost in this checkout."""
    text = (ROOT / "polyhost/__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise StepFailed("no __version__ in polyhost/__init__.py")
    return found[1]


def rendered(name: str) -> dict[str, tuple[str, int]]:
    """The files that are written for an environment: text and mode of each."""
    source = (folder_of(name) / "Dockerfile.in").read_text(encoding="utf-8")
    found = {
        "Dockerfile": (NOTE + _filled(source), 0o644),
        START: ((SHARED / START).read_text(encoding="utf-8"), 0o755),
    }
    if info_of(name)["programmingLanguage"] in TRAINABLE:
        found[TRAIN] = ((SHARED / TRAIN).read_text(encoding="utf-8"), 0o755)
    return found


def _filled(source: str) -> str:
    def part(match: re.Match[str]) -> str:
        path = SHARED / f"{match[1]}.docker"
        if not path.is_file():
            raise StepFailed(f"no part {match[1]!r} in {SHARED}")
        return path.read_text(encoding="utf-8")

    return re.sub(r"^INCLUDE (\w+)\n", part, source, flags=re.MULTILINE)


def render() -> list[Path]:
    """Write the files of all environments; those that changed."""
    changed = []
    for name in names():
        for file, (text, mode) in rendered(name).items():
            path = FOLDER / name / file
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                changed.append(path)
            path.chmod(mode)
    return changed


def make_context(name: str, wheel: Path, target: Path) -> None:
    """Copy an environment's folder, with polyhost's wheel in it."""
    shutil.copytree(folder_of(name), target, ignore=shutil.ignore_patterns("*.whl"))
    shutil.copy2(wheel, target)
