"""What every kind of tracking store answers: a server, a database, a folder of files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

READY = "READY"


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model. ``stage``: ``None``, ``Staging``, ..., as the server says."""

    name: str
    version: int
    status: str = READY
    stage: str = "None"
    source: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RegisteredModel:
    """A registered model. ``aliases``: version by alias."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LoggedModel:
    """A model logged since MLflow 3. ``made``: milliseconds since the epoch."""

    id: str
    name: str
    artifacts: str
    made: int = 0


@dataclass(frozen=True)
class Run:
    """A run: where its artifacts are, and the ids of the models that it logged."""

    artifacts: str
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArtifactFile:
    """An entry of a folder of artifacts."""

    name: str
    is_folder: bool


class Reader(Protocol):
    """What a file's bytes come from."""

    def read(self, size: int, /) -> bytes: ...


class Backend(Protocol):
    """Reads one tracking store. SourceError: what was asked for is not there.
    TrackingUnreachable: the store cannot be reached, so that nothing is known."""

    @property
    def shown(self) -> str:
        """Its address, without credentials."""
        ...

    def models(self, tag: str | None) -> list[RegisteredModel]:
        """Registered models that have a tag, whatever its value; None: all of them."""
        ...

    def model(self, name: str) -> RegisteredModel:
        """One registered model."""
        ...

    def tagged_versions(self, tag: str) -> list[RegisteredVersion]:
        """Versions that have a tag of their own, of any model; none where the store knows no such."""
        ...

    def versions(self, name: str) -> list[RegisteredVersion]:
        """Every version of a registered model, in no order."""
        ...

    def version(self, name: str, number: int) -> RegisteredVersion:
        """One version of a registered model."""
        ...

    def version_of_alias(self, name: str, alias: str) -> int:
        """The version that an alias points to."""
        ...

    def artifacts_of_version(self, name: str, version: int) -> str:
        """Address of the files of a version."""
        ...

    def logged_model(self, id: str) -> LoggedModel:
        """A logged model by its id."""
        ...

    def run(self, id: str) -> Run:
        """A run by its id."""
        ...

    def list_artifacts(self, uri: str) -> list[ArtifactFile]:
        """Entries of a folder at an ``mlflow-artifacts:`` address; empty when nothing is there."""
        ...

    def open_artifact(self, uri: str) -> AbstractContextManager[Reader]:
        """Read a file at an ``mlflow-artifacts:`` address."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...
