"""Sources that a tracking server resolves: a registered version, a logged model, a run's artifact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from polyhost.errors import SourceError
from polyhost.store.draft import Draft, checked
from polyhost.tracking import Backend, Location, resolve
from polyhost.tracking.uri import ARTIFACTS

MOST_DEPTH = 32
"""Folders inside each other; a server that lists a folder inside itself ends here."""


@dataclass(frozen=True)
class Tracked:
    """A source and what it was resolved to, at one moment: an alias may move later."""

    source: str
    location: Location
    backend: Backend

    @classmethod
    def of(cls, source: str, backend: Backend) -> Tracked:
        """Ask the tracking server what an address names now."""
        return cls(source, resolve(source, backend), backend)

    @property
    def origin(self) -> str:
        """What identifies the files, where they never change: those of a registered version."""
        if self.location.version is None:
            return ""
        where = f"{self.location.name}/{self.location.version}"
        return f"{self.backend.shown} {where} {self.location.uri}"

    @property
    def label(self) -> str:
        """The version in the registry; empty for what is not registered."""
        return "" if self.location.version is None else str(self.location.version)


def local_path(uri: str) -> Path | None:
    """The path of a ``file:`` address or of a plain path; None for other addresses."""
    if uri.startswith("file:"):
        return Path(unquote(urlsplit(uri).path))
    return None if "://" in uri or uri.startswith("dbfs:") else Path(uri)


def fill_from_artifacts(draft: Draft, uri: str, backend: Backend) -> None:
    """Read a folder that the tracking server itself hands out (``mlflow-artifacts:``)."""
    assert uri.startswith(ARTIFACTS), uri
    if not _fill(draft, uri.rstrip("/"), "", backend, 0):
        raise SourceError(f"no files at {uri}, at {backend.shown}: expected the folder of a model.")


def _fill(draft: Draft, root: str, inside: str, backend: Backend, depth: int) -> int:
    """Read one folder; how many entries it has."""
    if depth > MOST_DEPTH:
        raise SourceError(f"{root} has more than {MOST_DEPTH} folders inside each other.")
    entries = backend.list_artifacts(f"{root}/{inside}" if inside else root)
    for entry in entries:
        name = str(checked(f"{inside}/{entry.name}" if inside else entry.name))
        if entry.is_folder:
            draft.add_folder(name)
            _fill(draft, root, name, backend, depth + 1)
        else:
            with backend.open_artifact(f"{root}/{name}") as file:
                draft.add_file(name, file)
    return len(entries)
