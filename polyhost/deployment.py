"""Changes to a running server: over the admin API, from its configuration, and at its start.

What the admin API deploys is put into the store and written down in the desired state, so that it
is there again after a restart. What the configuration file says is read again on SIGHUP, or when
the file changes. The two own different models; neither touches the other's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from polyhost import desired
from polyhost.config import load
from polyhost.desired import DesiredModel, DesiredState
from polyhost.errors import CodeDirError, PolyhostError, SettingsError
from polyhost.host import Host
from polyhost.model import Model
from polyhost.settings import HostedModel, ServerSettings
from polyhost.store import Store

log = logging.getLogger(__name__)

Reload = Callable[[], ServerSettings]
"""Reads the configuration again; SettingsError with every mistake in it."""

Fingerprint = Tuple[Tuple[str, int, int], ...]
MOST_FILES = 2000


@dataclass(frozen=True)
class Changes:
    """What a reload did, by model name; ``failed`` has the reason."""

    loaded: Tuple[str, ...] = ()
    scaled: Tuple[str, ...] = ()
    removed: Tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


class Deployment:
    """Carries out changes to a host's models, one at a time.

    ``renew`` takes over what is not of models, before they are touched; SettingsError refuses.
    """

    def __init__(
        self,
        host: Host,
        settings: ServerSettings,
        reload: Optional[Reload] = None,
        renew: Callable[[ServerSettings], None] = lambda settings: None,
    ) -> None:
        self._host = host
        self._settings = settings
        self._reload = reload
        self._renew = renew
        self._lock = asyncio.Lock()
        self._store: Optional[Store] = None
        self._prints = {model.name: fingerprint(model) for model in settings.models}
        self._configured = {model.name: model for model in settings.models}
        self._state = DesiredState()

    # At the start

    async def reconcile(self) -> None:
        """Deploy again what the desired state holds. A model that fails is told of, and kept."""
        path = self._settings.desired
        if path is None:
            return
        self._state = await asyncio.to_thread(desired.read, path)
        for wanted in self._state.models.values():
            try:
                hosted = await asyncio.to_thread(self._hosted, wanted)
                await self._host.deploy(hosted)
            except PolyhostError as error:
                log.error("model %s of the desired state: %s", wanted.name, error)

    # The admin API

    async def deploy(
        self, name: str, source: str, settings: Mapping[str, Any], replicas: int, version: str
    ) -> Model:
        """Load a model, or replace the version that is there; returns when it answers.

        SettingsError: the source lies outside of the allowed roots, or the settings are wrong.
        The error that kept it from loading is raised too; what was there before still answers.
        """
        self._check_owner(name)
        folder = self._allowed(source)
        async with self._lock:
            wanted = await asyncio.to_thread(
                self._publish, name, str(folder), settings, replicas, version
            )
            hosted = await asyncio.to_thread(self._hosted, wanted)
            new = name not in self._host.models
            if not await self._host.deploy(hosted):
                failure = self._host.models[name].failure
                if new:
                    await self._host.remove(name, 0.0)
                raise failure or CodeDirError(f"model {name!r} could not be loaded")
            await self._remember(self._state.having(wanted))
        return self._host.models[name]

    async def remove(self, name: str) -> None:
        """Unload a model for good; KeyError for an unknown name."""
        self._check_owner(name)
        async with self._lock:
            if name not in self._host.models:
                raise KeyError(name)
            await self._remember(self._state.lacking(name))
            await self._host.remove(name, self._settings.grace)

    async def scale(self, name: str, replicas: int) -> Model:
        """Change the number of replicas; KeyError for an unknown name."""
        if not 1 <= replicas <= 1000:
            raise SettingsError(f"wrong number of replicas {replicas}: expected 1 to 1000.")
        async with self._lock:
            model = self._host.models[name]
            await model.scale(replicas)
            wanted = self._state.models.get(name)
            if wanted is not None:
                await self._remember(self._state.having(replace(wanted, replicas=replicas)))
        return model

    def _check_owner(self, name: str) -> None:
        if name in self._configured:
            raise SettingsError(
                f"model {name!r} belongs to the configuration: change it there, or deploy under "
                "another name."
            )

    def _allowed(self, source: str) -> Path:
        roots = [Path(os.path.realpath(root)) for root in self._settings.admin.roots]
        real = Path(os.path.realpath(source))
        if "\0" in source or "://" in source or not any(real.is_relative_to(r) for r in roots):
            raise SettingsError(
                f"models may not be loaded from {source!r}: expected a folder or archive below "
                f"{', '.join(map(str, roots)) or 'an allowed root (none is set: admin.roots)'}."
            )
        if not real.exists():
            raise SettingsError(f"nothing at {source!r}: expected a model's folder or archive.")
        return real

    def _publish(
        self, name: str, source: str, settings: Mapping[str, Any], replicas: int, version: str
    ) -> DesiredModel:
        """Put a source into the store; what is written down of it."""
        made = self._open_store().add(source, name)
        return DesiredModel(
            name=name,
            source=source,
            version=version or made.digest[:12],
            digest=made.digest,
            replicas=replicas,
            settings=flat(settings),
        )

    def _open_store(self) -> Store:
        if self._store is None:
            from polyhost.config.models import default_store

            kept = self._settings.store
            self._store = Store(kept.path or default_store(), kept.quota)
        return self._store

    def _hosted(self, wanted: DesiredModel) -> HostedModel:
        """What the host is to hold for an entry of the desired state."""
        folder = Path(wanted.source)
        if wanted.digest is not None:
            store = self._open_store()
            found = [v for v in store.versions(wanted.name) if v.digest == wanted.digest]
            if not found:
                found = [store.add(wanted.source, wanted.name)]
            folder = store.hold(found[0]).path
        entry = nested(wanted.settings)
        entry.update(path=str(folder), replicas=wanted.replicas, version=wanted.version)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix="polyhost-") as file:
            json.dump({"models": {wanted.name: entry}}, file)
            file.flush()
            (hosted,) = load(Path(file.name), {}, {}).settings.models
        return hosted

    async def _remember(self, state: DesiredState) -> None:
        self._state = state
        if self._settings.desired is not None:
            await asyncio.to_thread(desired.write, self._settings.desired, state)

    # The configuration

    async def reload(self) -> Changes:
        """Read the configuration again and make it true; SettingsError leaves all as it was."""
        if self._reload is None:
            return Changes()
        async with self._lock:
            settings = await asyncio.to_thread(self._reload)
            self._renew(settings)
            wanted = {model.name: model for model in settings.models}
            prints = await asyncio.to_thread(
                lambda: {name: fingerprint(model) for name, model in wanted.items()}
            )
            changes = await self._apply(wanted, prints)
        log.warning(
            "configuration read again: loaded %s, scaled %s, removed %s, failed %s",
            *(list(part) for part in (changes.loaded, changes.scaled, changes.removed)),
            dict(changes.failed),
        )
        return changes

    async def _apply(
        self, wanted: Dict[str, HostedModel], prints: Dict[str, Fingerprint]
    ) -> Changes:
        loaded: List[str] = []
        scaled: List[str] = []
        failed: Dict[str, str] = {}
        for name, hosted in wanted.items():
            old = self._configured.get(name)
            if old is not None and prints[name] == self._prints.get(name):
                if old == hosted:
                    continue
                if replace(old, workers=hosted.workers) == hosted:
                    await self._host.models[name].scale(hosted.workers)
                    scaled.append(name)
                    self._configured[name] = hosted
                    continue
            if await self._host.deploy(hosted):
                loaded.append(name)
                self._configured[name] = hosted
                self._prints[name] = prints[name]
            else:
                failure = self._host.models[name].failure
                failed[name] = failure.message if failure is not None else "it did not load"
        removed = [name for name in self._configured if name not in wanted]
        for name in removed:
            del self._configured[name]
            await self._host.remove(name, self._settings.grace)
        return Changes(tuple(loaded), tuple(scaled), tuple(removed), failed)

    def close(self) -> None:
        """Let the versions in the store go; they stay for the next start."""
        if self._store is not None:
            self._store.close()


def fingerprint(hosted: HostedModel) -> Fingerprint:
    """Names, sizes and times of a code dir's files: whether it changed since it was loaded."""
    found: List[Tuple[str, int, int]] = []
    for folder, _, names in os.walk(hosted.spec.code_dir):
        if "__pycache__" in folder:
            continue
        for name in names:
            path = os.path.join(folder, name)
            try:
                stat = os.stat(path)
            except OSError:
                continue
            found.append((path, stat.st_size, stat.st_mtime_ns))
            if len(found) >= MOST_FILES:
                return tuple(sorted(found))
    return tuple(sorted(found))


def flat(settings: Mapping[str, Any], prefix: str = "") -> Dict[str, Any]:
    """``{"limits": {"deadline": 5}}`` → ``{"limits.deadline": 5}``."""
    found: Dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def nested(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """The reverse of :func:`flat`."""
    found: Dict[str, Any] = {}
    for dotted, value in settings.items():
        *path, last = dotted.split(".")
        here = found
        for key in path:
            here = here.setdefault(key, {})
        here[last] = value
    return found
