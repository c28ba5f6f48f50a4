"""What tracking stores on this machine have in common."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NoReturn

from polyhost.errors import SourceError
from polyhost.tracking.backend import ArtifactFile, Reader, RegisteredModel, RegisteredVersion


class OnDisk:
    """A store without a server: files lie at addresses of their own, never at ``mlflow-artifacts:``."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    @property
    def shown(self) -> str:
        return self._uri

    def models(self, tag: str | None) -> list[RegisteredModel]:
        raise NotImplementedError

    def model(self, name: str) -> RegisteredModel:
        raise NotImplementedError

    def versions(self, name: str) -> list[RegisteredVersion]:
        raise NotImplementedError

    def version(self, name: str, number: int) -> RegisteredVersion:
        for version in self.versions(name):
            if version.version == number:
                return version
        raise SourceError(f"no version {number} of {name!r} at {self.shown}.")

    def version_of_alias(self, name: str, alias: str) -> int:
        found = self.model(name).aliases.get(alias)
        if found is None:
            raise SourceError(
                f"the registered model {name!r} has no alias {alias!r}, at {self.shown}."
            )
        return found

    def tagged_versions(self, tag: str) -> list[RegisteredVersion]:
        versions = (one for model in self.models(None) for one in self.versions(model.name))
        return [version for version in versions if tag in version.tags]

    def list_artifacts(self, uri: str) -> list[ArtifactFile]:
        self._refuse(uri)

    def open_artifact(self, uri: str) -> AbstractContextManager[Reader]:
        self._refuse(uri)

    def _refuse(self, uri: str) -> NoReturn:
        raise SourceError(
            f"{uri} is kept by a tracking server, and {self.shown} is a store without one. Set "
            "MLFLOW_TRACKING_URI to the server's address."
        )

    def close(self) -> None:
        """Nothing is open."""
