"""From a ``models:`` or ``runs:`` address to the address of the files."""

from __future__ import annotations

from dataclasses import dataclass

from polyhost.errors import SourceError, TrackingUnreachable
from polyhost.tracking.backend import READY, Backend
from polyhost.tracking.uri import ARTIFACTS, LoggedModelUri, ModelUri, is_tracked, parse

MOST_STEPS = 5
"""Addresses that may name each other: a version's source is a run's or a logged model's."""


@dataclass(frozen=True)
class Location:
    """Where the files of a model are.

    ``name`` and ``version`` are those of a registered version, and None for any other.
    """

    uri: str
    name: str | None = None
    version: int | None = None


def resolve(source: str, backend: Backend) -> Location:
    """Where the files of an address are; SourceError when it names nothing."""
    name: str | None = None
    version: int | None = None
    uri = source
    for _ in range(MOST_STEPS):
        if not is_tracked(uri) or uri.startswith(ARTIFACTS):
            return Location(uri, name, version)
        found = parse(uri)
        if isinstance(found, ModelUri):
            name, version = found.name, pick_version(found, backend, source)
            uri = _of_version(name, version, backend)
        elif isinstance(found, LoggedModelUri):
            uri = backend.logged_model(found.id).artifacts
        else:
            uri = _of_run(found.run, found.path, backend)
    raise SourceError(f"cannot follow {source}: it leads in a circle, at {uri}.", source=source)


def pick_version(wanted: ModelUri, backend: Backend, source: str = "") -> int:
    """The version that an address means."""
    if wanted.version is not None:
        return int(wanted.version)
    if wanted.alias is not None:
        return backend.version_of_alias(wanted.name, wanted.alias)
    found = backend.versions(wanted.name)
    if wanted.stage is not None:
        found = [one for one in found if one.stage.lower() == wanted.stage.lower()]
    ready = [one.version for one in found if one.status == READY]
    if not ready:
        what = f"in stage {wanted.stage}" if wanted.stage is not None else "at all"
        raise SourceError(
            f"the registered model {wanted.name!r} has no version {what} that is ready, at "
            f"{backend.shown}.",
            source=source,
        )
    return max(ready)


def _of_version(name: str, version: int, backend: Backend) -> str:
    """Files of a registered version: those of the run or logged model that it was made of, where its
    server still has that; else what the registry noted then.

    The note of a version that was registered as ``runs:/RUN/NAME`` may be a folder of the run that
    holds nothing, since MLflow 3 keeps models apart (mlflow/mlflow#25562).
    """
    origin = backend.version(name, version).source
    if is_tracked(origin) and not origin.startswith(ARTIFACTS):
        try:
            return resolve(origin, backend).uri
        except TrackingUnreachable:
            raise
        except SourceError:
            pass  # of another tracking server, or deleted
    return backend.artifacts_of_version(name, version)


def _of_run(run_id: str, path: str, backend: Backend) -> str:
    """Files of a run: of the model that it logged by that name, else its own artifacts."""
    run = backend.run(run_id)
    first, _, rest = path.partition("/")
    logged = [backend.logged_model(id) for id in run.models]
    of_name = [model for model in logged if model.name == first]
    if of_name:
        newest = max(of_name, key=lambda model: model.made)
        return _below(newest.artifacts, rest)
    return _below(run.artifacts, path)


def _below(uri: str, path: str) -> str:
    """An address below another; what follows a ``?`` stays at the end."""
    plain, mark, query = uri.partition("?")
    return f"{plain.rstrip('/')}/{path}{mark}{query}" if path else uri
