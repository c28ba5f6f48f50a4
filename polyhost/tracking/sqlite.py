"""A tracking store that is a database of SQLite on this machine, as MLflow keeps it without a server."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from polyhost.errors import SettingsError, SourceError, TrackingUnreachable
from polyhost.tracking.backend import LoggedModel, RegisteredModel, RegisteredVersion, Run
from polyhost.tracking.on_disk import OnDisk

SCHEME = "sqlite:///"
_VERSIONS = (
    "SELECT version, status, current_stage, source FROM model_versions "
    "WHERE name = ? AND current_stage != 'Deleted_Internal'"
)


class SqliteBackend(OnDisk):
    """Reads the database; each question opens it anew, so that any thread may ask."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        path = unquote(uri[len(SCHEME) :].partition("?")[0])
        self._path = Path(path).absolute()
        if not self._path.is_file():
            raise SettingsError(
                f"no tracking store at {uri}: found no file {self._path}. Set MLFLOW_TRACKING_URI to "
                "the address of a tracking server, or to the store of one."
            )

    def models(self, tag: str | None) -> list[RegisteredModel]:
        names = [row[0] for row in self._ask("SELECT name FROM registered_models ORDER BY name")]
        found = [self.model(name) for name in names]
        return [model for model in found if tag is None or tag in model.tags]

    def model(self, name: str) -> RegisteredModel:
        if not self._ask("SELECT 1 FROM registered_models WHERE name = ?", name):
            raise SourceError(f"no registered model {name!r} at {self.shown}.")
        tags = self._ask("SELECT key, value FROM registered_model_tags WHERE name = ?", name)
        aliases = self._ask(
            "SELECT alias, version FROM registered_model_aliases WHERE name = ?", name
        )
        return RegisteredModel(name, _texts(tags), {str(a): int(v) for a, v in aliases})

    def versions(self, name: str) -> list[RegisteredVersion]:
        self.model(name)
        asked = "SELECT version, key, value FROM model_version_tags WHERE name = ?"
        tags: dict[int, list[Any]] = {}
        for version, key, value in self._ask(asked, name):
            tags.setdefault(int(version), []).append((key, value))
        return [
            RegisteredVersion(
                name,
                int(version),
                str(status),
                str(stage),
                str(source),
                _texts(tags.get(version, [])),
            )
            for version, status, stage, source in self._ask(_VERSIONS, name)
        ]

    def artifacts_of_version(self, name: str, version: int) -> str:
        asked = "SELECT source FROM model_versions WHERE name = ? AND version = ?"
        found = self._ask(asked, name, version)
        if not found:
            raise SourceError(f"no version {version} of {name!r} at {self.shown}.")
        kept = self._ask(asked.replace("source", "storage_location"), name, version)
        return str((kept[0][0] if kept else None) or found[0][0])

    def logged_model(self, id: str) -> LoggedModel:
        found = self._ask(
            "SELECT name, artifact_location, creation_timestamp_ms FROM logged_models "
            "WHERE model_id = ? AND lifecycle_stage = 'active'",
            id,
        )
        if not found:
            raise SourceError(f"no logged model {id!r} at {self.shown}.")
        name, place, made = found[0]
        return LoggedModel(id, str(name), str(place), int(made))

    def run(self, id: str) -> Run:
        found = self._ask("SELECT artifact_uri FROM runs WHERE run_uuid = ?", id)
        if not found:
            raise SourceError(f"no run {id!r} at {self.shown}.")
        logged = self._ask(
            "SELECT destination_id FROM inputs WHERE source_type = 'RUN_OUTPUT' AND source_id = ? "
            "AND destination_type = 'MODEL_OUTPUT'",
            id,
        )
        return Run(str(found[0][0]), tuple(str(row[0]) for row in logged))

    def _ask(self, query: str, *values: object) -> list[Any]:
        """Rows; none of a table or a column that an older MLflow did not have."""
        with self._open() as database:
            try:
                return database.execute(query, values).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error) or "no such column" in str(error):
                    return []
                raise TrackingUnreachable(f"cannot read {self.shown}: {error}.") from error
            except sqlite3.DatabaseError as error:
                raise TrackingUnreachable(f"cannot read {self.shown}: {error}.") from error

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(
                f"file:{quote(str(self._path))}?mode=ro", uri=True, timeout=30
            )
        except sqlite3.Error as error:
            raise TrackingUnreachable(f"cannot read {self.shown}: {error}.") from error
        with contextlib.closing(database):
            yield database


def _texts(rows: list[Any]) -> dict[str, str]:
    return {str(key): "" if value is None else str(value) for key, value in rows}
