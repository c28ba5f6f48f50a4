"""Which versions of which registered models a server is to serve."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from polyhost.tracking.backend import READY, Backend, RegisteredModel, RegisteredVersion
from polyhost.tracking.uri import LATEST, plain_name


@dataclass(frozen=True)
class Wanted:
    """A version that is to be served; ``tags`` are the model's, and over them the version's."""

    registered: str
    version: int
    tags: Mapping[str, str]

    @property
    def address(self) -> str:
        """Its source, for the store."""
        return f"models:/{self.registered}/{self.version}"


def wanted_versions(
    backend: Backend, tag: str | None, follow: str, left_out: Callable[[str, str], None]
) -> dict[str, Wanted]:
    """The versions to serve, by the name to serve each under.

    ``tag``: models that have it, or of which a version has it; None is every model. ``follow``:
    ``latest``, ``@ALIAS`` or a stage. ``left_out`` is called with each model of which there is no
    such version, and why.
    """
    found = []
    for model, versions in _tagged(backend, tag):
        version = _pick(model, versions, follow)
        if version is None:
            left_out(model.name, f"it has no version that is ready for {follow!r}")
        else:
            tags = {**model.tags, **version.tags}
            found.append(Wanted(model.name, version.version, tags))
    return _named(found)


def _tagged(
    backend: Backend, tag: str | None
) -> Iterator[tuple[RegisteredModel, list[RegisteredVersion]]]:
    models = backend.models(tag)
    yield from ((model, backend.versions(model.name)) for model in models)
    if tag is None:
        return
    names = {model.name for model in models}
    alone: dict[str, list[RegisteredVersion]] = {}
    for version in backend.tagged_versions(tag):
        if version.name not in names:
            alone.setdefault(version.name, []).append(version)
    for name, versions in alone.items():
        yield backend.model(name), versions


def _pick(
    model: RegisteredModel, versions: list[RegisteredVersion], follow: str
) -> RegisteredVersion | None:
    if follow.startswith("@"):
        wanted = model.aliases.get(follow[1:])
        versions = [one for one in versions if one.version == wanted]
    elif follow.lower() != LATEST:
        versions = [one for one in versions if one.stage.lower() == follow.lower()]
    ready = [one for one in versions if one.status == READY]
    return max(ready, key=lambda one: one.version, default=None)


def _named(found: list[Wanted]) -> dict[str, Wanted]:
    """By the name of each here; of several that would be called alike, all but the one that is
    called so have a digest of their registered name behind it."""
    named: dict[str, Wanted] = {}
    found.sort(key=lambda one: (one.registered != plain_name(one.registered), one.registered))
    for wanted in found:
        name = plain_name(wanted.registered)
        if name in named:
            digest = hashlib.sha256(wanted.registered.encode()).hexdigest()[:8]
            name = f"{name[:119]}-{digest}"
        named[name] = wanted
    return named
