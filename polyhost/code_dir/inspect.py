"""What is in a code dir: its language, its custom file and its artifacts.

The rules are the same for every language; what differs is data in the table of bridges. An
artifact anywhere in the folder says the language, but only those at its top are loaded.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Set, Tuple

from polyhost.bridges import Bridge, all_bridges, bridge_for
from polyhost.code_dir import mlmodel
from polyhost.code_dir.mlmodel import MLmodel
from polyhost.errors import AmbiguousLanguage, CodeDirError

logger = logging.getLogger(__name__)

UNDETECTABLE = "Can not detect language by artifacts and/or custom.py/R files"
"""DRUM's words; callers match on them."""


@dataclass(frozen=True)
class CodeDir:
    """A folder that a user brought. Paths are absolute; ``artifacts`` are those at its top.

    ``mlmodel``: what MLflow wrote, where it saved the folder and there is no custom file beside it.
    """

    path: Path
    language: str
    custom_file: Optional[Path] = None
    artifacts: Tuple[Path, ...] = ()
    mlmodel: Optional[MLmodel] = None


def inspect(path: Path, language: Optional[str] = None) -> CodeDir:
    """Look into a folder; ``language`` overrides what its files say."""
    folder = Path(path).resolve()
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise CodeDirError(
            f"no code dir at {folder}: expected a folder; found {found}. "
            "Give the folder that holds the model.",
            code_dir=str(folder),
        )
    if mlmodel.is_model(folder) and not _has_custom_file(folder):
        model = mlmodel.read(folder, language)
        return CodeDir(folder, model.language, artifacts=(model.path,), mlmodel=model)
    bridge = bridge_for(language) if language else _detect(folder)
    return CodeDir(
        folder, bridge.language, _custom_file(folder, bridge), _artifacts(folder, bridge)
    )


def _has_custom_file(folder: Path) -> bool:
    """Whether a custom file of any language lies at the top of a folder."""
    names = {name for bridge in all_bridges().values() for name in bridge.custom}
    return any((folder / name).is_file() for name in names)


def _detect(folder: Path) -> Bridge:
    bridges = all_bridges()
    by_artifact = _languages_by_artifact(folder, bridges)
    by_custom = _languages_by_custom(folder, bridges)
    artifact = by_artifact[0] if len(by_artifact) == 1 else None
    custom = by_custom[0] if len(by_custom) == 1 else None
    chosen = custom or artifact
    if chosen is None or (artifact and custom and artifact != custom):
        raise _undetectable(folder, bridges, by_artifact, by_custom)
    return bridges[chosen]


def _languages_by_artifact(folder: Path, bridges: Mapping[str, Bridge]) -> List[str]:
    names = list(_visible_names(folder))
    return [
        language
        for language, bridge in bridges.items()
        if any(_is_artifact(name, bridge) for name in names)
    ]


def _languages_by_custom(folder: Path, bridges: Mapping[str, Bridge]) -> List[str]:
    names = {entry.name for entry in folder.iterdir() if entry.is_file()}
    _warn_of_wrong_case(names, bridges)
    return [language for language, bridge in bridges.items() if names.intersection(bridge.custom)]


def _warn_of_wrong_case(names: Set[str], bridges: Mapping[str, Bridge]) -> None:
    known = {name for bridge in bridges.values() for name in bridge.custom}
    by_folded: Dict[str, str] = {name.casefold(): name for name in sorted(known)}
    for name in sorted(names - known):
        if name.casefold() in by_folded:
            logger.warning(
                "%s is not read: the custom file is called %s", name, by_folded[name.casefold()]
            )


def _visible_names(folder: Path) -> Iterator[str]:
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (name for name in files if not name.startswith("."))


def _is_artifact(name: str, bridge: Bridge) -> bool:
    return name.lower().endswith(bridge.all_artifacts) and name not in bridge.custom


def _artifacts(folder: Path, bridge: Bridge) -> Tuple[Path, ...]:
    found = tuple(
        entry
        for entry in sorted(folder.iterdir())
        if entry.is_file() and not entry.name.startswith(".") and _is_artifact(entry.name, bridge)
    )
    firm = tuple(path for path in found if not path.name.lower().endswith(bridge.yielding))
    return firm or found


def _custom_file(folder: Path, bridge: Bridge) -> Optional[Path]:
    found = _custom_candidates(folder, bridge)
    if (
        len({path.name.casefold() for path in found}) < len(found)
        and len({path.parent for path in found}) == 1
    ):
        logger.warning("%s holds %s: %s is read", folder, _names(folder, found), found[0].name)
        found = found[:1]
    if len(found) > 1:
        raise CodeDirError(
            f"several custom files in {folder}: expected one; found {_names(folder, found)}. "
            "Keep the one that holds the hooks.",
            code_dir=str(folder),
            found=[str(path.relative_to(folder)) for path in found],
        )
    return found[0] if found else None


def _custom_candidates(folder: Path, bridge: Bridge) -> List[Path]:
    """Custom files in the order of the bridge's names, those of one name by path."""
    found: List[Path] = []
    for name in bridge.custom:
        places = _folders(folder) if bridge.custom_recursive else iter((folder,))
        # os.listdir, not exists(): a file system may not distinguish custom.R from custom.r.
        found += [place / name for place in places if name in os.listdir(place)]
    return [path for path in found if path.is_file()]


def _folders(folder: Path) -> Iterator[Path]:
    for place, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(place)


def _names(folder: Path, paths: List[Path]) -> str:
    return ", ".join(str(path.relative_to(folder)) for path in paths)


def _undetectable(
    folder: Path, bridges: Mapping[str, Bridge], by_artifact: List[str], by_custom: List[str]
) -> AmbiguousLanguage:
    entries = sorted(entry.name for entry in folder.iterdir())[:100]
    expected = "; ".join(
        f"{language}: {', '.join(bridge.custom)} or *{', *'.join(bridge.all_artifacts)}"
        for language, bridge in bridges.items()
    )
    return AmbiguousLanguage(
        f"{UNDETECTABLE} in {folder}: artifacts say {', '.join(by_artifact) or 'nothing'}, "
        f"custom files say {', '.join(by_custom) or 'nothing'}. Expected files of one language "
        f"({expected}); found {', '.join(entries) or 'an empty folder'}. "
        "Add the missing file, or say --language.",
        code_dir=str(folder),
        artifact_languages=by_artifact,
        custom_languages=by_custom,
        found=entries,
    )
