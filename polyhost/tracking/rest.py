"""A tracking server, over MLflow's REST API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import quote, urlsplit

from polyhost.errors import SourceError, TrackingUnreachable
from polyhost.tracking.access import Access
from polyhost.tracking.backend import (
    READY,
    ArtifactFile,
    LoggedModel,
    Reader,
    RegisteredModel,
    RegisteredVersion,
    Run,
)
from polyhost.tracking.http import HttpServer
from polyhost.tracking.uri import ARTIFACTS

API = "/api/2.0/mlflow"
ARTIFACTS_API = "/api/2.0/mlflow-artifacts/artifacts"
PAGE = 100
MOST_PAGES = 10_000


class RestBackend:
    """A server of tracking, and one of registered models where that is another."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._tracking = HttpServer(access.uri, access)
        apart = access.registry != access.uri
        self._registry = HttpServer(access.registry, access) if apart else self._tracking
        self._others: dict[str, HttpServer] = {}

    @property
    def shown(self) -> str:
        return self._registry.shown

    def models(self, tag: str | None) -> list[RegisteredModel]:
        query: dict[str, Any] = {"max_results": PAGE}
        if tag is not None:
            query["filter"] = f"tags.`{tag}` LIKE '%'"
        try:
            found = [_model(one) for one in self._registered(query)]
        except TrackingUnreachable:
            raise
        except SourceError:
            if tag is None:
                raise
            del query["filter"]  # servers before 1.25 know no tags in filters
            found = [_model(one) for one in self._registered(query)]
        return [model for model in found if tag is None or tag in model.tags]

    def _registered(self, query: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
        return self._pages(f"{API}/registered-models/search", query, "registered_models")

    def model(self, name: str) -> RegisteredModel:
        found = self._registry.get_json(f"{API}/registered-models/get", {"name": name})
        return _model(found["registered_model"])

    def tagged_versions(self, tag: str) -> list[RegisteredVersion]:
        try:
            found = self._search_versions(f"tags.`{tag}` LIKE '%'")
        except TrackingUnreachable:
            raise
        except SourceError:
            return []  # an older server, which cannot search for them
        return [version for version in found if tag in version.tags]

    def versions(self, name: str) -> list[RegisteredVersion]:
        self._registry.get_json(f"{API}/registered-models/get", {"name": name})
        mark = '"' if "'" in name else "'"
        return self._search_versions(f"name={mark}{name}{mark}")

    def _search_versions(self, filter: str) -> list[RegisteredVersion]:
        query = {"filter": filter, "max_results": PAGE}
        found = self._pages(f"{API}/model-versions/search", query, "model_versions")
        return [_version(one) for one in found]

    def _pages(self, path: str, query: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
        token = ""
        for _ in range(MOST_PAGES):
            asked = {**query, "page_token": token} if token else query
            found = self._registry.get_json(path, asked)
            yield from found.get(key, ())
            token = found.get("next_page_token", "")
            if not token:
                return
        raise SourceError(f"{self.shown}{path} never ends: {MOST_PAGES} pages were read.")

    def version(self, name: str, number: int) -> RegisteredVersion:
        query = {"name": name, "version": number}
        found = self._registry.get_json(f"{API}/model-versions/get", query)
        return _version(found["model_version"])

    def version_of_alias(self, name: str, alias: str) -> int:
        query = {"name": name, "alias": alias}
        found = self._registry.get_json(f"{API}/registered-models/alias", query)
        return int(found["model_version"]["version"])

    def artifacts_of_version(self, name: str, version: int) -> str:
        query = {"name": name, "version": version}
        found = self._registry.get_json(f"{API}/model-versions/get-download-uri", query)
        return str(found["artifact_uri"])

    def logged_model(self, id: str) -> LoggedModel:
        found = self._tracking.get_json(f"{API}/logged-models/{quote(id, safe='')}", {})
        info = found["model"]["info"]
        made = int(info.get("creation_timestamp_ms", 0))
        return LoggedModel(id, str(info.get("name", "")), str(info["artifact_uri"]), made)

    def run(self, id: str) -> Run:
        found = self._tracking.get_json(f"{API}/runs/get", {"run_id": id})["run"]
        outputs = found.get("outputs") or {}
        logged = tuple(str(one["model_id"]) for one in outputs.get("model_outputs", ()))
        return Run(str(found["info"]["artifact_uri"]), logged)

    def list_artifacts(self, uri: str) -> list[ArtifactFile]:
        server, path = self._artifact_server(uri)
        found = server.get_json(ARTIFACTS_API, {"path": path})
        return [
            ArtifactFile(str(one["path"]).rpartition("/")[2], bool(one.get("is_dir")))
            for one in found.get("files", ())
        ]

    def open_artifact(self, uri: str) -> AbstractContextManager[Reader]:
        server, path = self._artifact_server(uri)
        return server.open(f"{ARTIFACTS_API}/{quote(path)}")

    def _artifact_server(self, uri: str) -> tuple[HttpServer, str]:
        """The server of an ``mlflow-artifacts:`` address, and the path there.

        Our credentials go to the tracking server only, whatever server an address names.
        """
        rest = uri.removeprefix(ARTIFACTS)
        named, _, path = (
            rest.removeprefix("//").partition("/") if rest[:2] == "//" else ("", "", rest)
        )
        ours = urlsplit(self._access.uri)
        if named in ("", ours.netloc):
            return self._tracking, path.lstrip("/")
        if named not in self._others:
            self._others[named] = HttpServer(f"{ours.scheme}://{named}")
        return self._others[named], path

    def close(self) -> None:
        for server in (self._tracking, self._registry, *self._others.values()):
            server.close()


def _tags(found: Mapping[str, Any]) -> dict[str, str]:
    return {str(tag["key"]): str(tag.get("value", "")) for tag in found.get("tags", ())}


def _model(found: Mapping[str, Any]) -> RegisteredModel:
    aliases = {str(one["alias"]): int(one["version"]) for one in found.get("aliases", ())}
    return RegisteredModel(str(found["name"]), _tags(found), aliases)


def _version(found: Mapping[str, Any]) -> RegisteredVersion:
    return RegisteredVersion(
        name=str(found["name"]),
        version=int(found["version"]),
        status=str(found.get("status", READY)),
        stage=str(found.get("current_stage", "None")),
        source=str(found.get("source", "")),
        tags=_tags(found),
    )
