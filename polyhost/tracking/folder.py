"""A tracking store that is a folder of files (``mlruns``), as MLflow kept it by default until 3.6."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from polyhost.errors import SettingsError, SourceError, TrackingUnreachable
from polyhost.tracking.backend import LoggedModel, RegisteredModel, RegisteredVersion, Run
from polyhost.tracking.on_disk import OnDisk

META = "meta.yaml"
_READY = (2, "READY", None)
"""What says that a version is ready."""


class FolderBackend(OnDisk):
    """Reads the files. ``models/`` holds what is registered, every other folder an experiment."""

    def __init__(self, uri: str, path: Path) -> None:
        super().__init__(uri)
        self._root = path.absolute()
        self._registered = self._root / "models"
        if not self._root.is_dir():
            raise SettingsError(
                f"no tracking store at {uri}: found no folder {self._root}. Set MLFLOW_TRACKING_URI "
                "to the address of a tracking server, or to the store of one."
            )

    def models(self, tag: str | None) -> list[RegisteredModel]:
        found = [
            self.model(path.parent.name) for path in sorted(self._registered.glob(f"*/{META}"))
        ]
        return [model for model in found if tag is None or tag in model.tags]

    def model(self, name: str) -> RegisteredModel:
        home = self._home(name)
        aliases = _texts(home / "aliases")
        return RegisteredModel(
            name, _texts(home / "tags"), {alias: int(text) for alias, text in aliases.items()}
        )

    def versions(self, name: str) -> list[RegisteredVersion]:
        places = sorted(self._home(name).glob(f"version-*/{META}"))
        return [self._version(name, path.parent) for path in places]

    def _version(self, name: str, place: Path) -> RegisteredVersion:
        facts = self._facts(place)
        return RegisteredVersion(
            name,
            int(facts["version"]),
            "READY" if facts.get("status") in _READY else str(facts.get("status")),
            str(facts.get("current_stage") or "None"),
            str(facts.get("source") or ""),
            _texts(place / "tags"),
        )

    def artifacts_of_version(self, name: str, version: int) -> str:
        place = self._home(name) / f"version-{version}"
        if not place.is_dir():
            raise SourceError(f"no version {version} of {name!r} at {self.shown}.")
        facts = self._facts(place)
        return str(facts.get("storage_location") or facts.get("source"))

    def logged_model(self, id: str) -> LoggedModel:
        for path in self._root.glob(f"*/models/{_part(id)}/{META}"):
            facts = self._facts(path.parent)
            made = int(facts.get("creation_timestamp") or 0)
            place = facts.get("artifact_location") or str(path.parent / "artifacts")
            return LoggedModel(id, str(facts.get("name", "")), str(place), made)
        raise SourceError(f"no logged model {id!r} at {self.shown}.")

    def run(self, id: str) -> Run:
        for path in self._root.glob(f"*/{_part(id)}/{META}"):
            facts = self._facts(path.parent)
            if "artifact_uri" in facts:
                logged = sorted(one.name for one in (path.parent / "outputs").glob("*"))
                return Run(str(facts["artifact_uri"]), tuple(logged))
        raise SourceError(f"no run {id!r} at {self.shown}.")

    def _home(self, name: str) -> Path:
        home = self._registered / _part(name)
        if not (home / META).is_file():
            raise SourceError(f"no registered model {name!r} at {self.shown}.")
        return home

    def _facts(self, place: Path) -> Mapping[str, Any]:
        try:
            found = yaml.safe_load((place / META).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise TrackingUnreachable(f"cannot read {place / META}: {error}.") from error
        if not isinstance(found, dict):
            raise TrackingUnreachable(f"cannot read {place / META}: expected a mapping.")
        return found


def _part(name: str) -> str:
    """A name as one part of a path and of a pattern; SourceError for one that would be more."""
    if len(PurePosixPath(name).parts) != 1 or name == ".." or set(name) & set("*?["):
        raise SourceError(
            f"cannot look for {name!r}: expected a name without '/', '*', '?' and '['."
        )
    return name


def _texts(folder: Path) -> dict[str, str]:
    """A file for each key."""
    if not folder.is_dir():
        return {}
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): p.read_text(encoding="utf-8").strip() for p in files}
