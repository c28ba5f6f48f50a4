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
import threading
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from weakref import WeakValueDictionary

from polyhost.code_dir.fingerprint import Fingerprint, fingerprint
from polyhost.config import Loaded, load
from polyhost.deploy import desired_state
from polyhost.deploy.desired_state import DesiredModel, DesiredState, flat, nested
from polyhost.errors import CodeDirError, PolyhostError, SettingsError
from polyhost.host.host import Host
from polyhost.host.model_slot import Model
from polyhost.settings import HostedModel, ServerSettings
from polyhost.store import Store

log = logging.getLogger(__name__)

Reload = Callable[[], Loaded]
"""Reads the configuration again; SettingsError with every mistake in it."""


@dataclass(frozen=True)
class Changes:
    """What a reload did, by model name; ``failed`` has the reason."""

    loaded: Tuple[str, ...] = ()
    scaled: Tuple[str, ...] = ()
    removed: Tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


class Deployment:
    """Carries out changes to a host's models, for each model one at a time.

    ``loaded``: what ``settings`` came from; it holds the versions that are served. ``renew`` takes
    over what is not of models, before they are touched; SettingsError refuses.
    """

    def __init__(
        self,
        host: Host,
        settings: ServerSettings,
        reload: Optional[Reload] = None,
        loaded: Optional[Loaded] = None,
        renew: Callable[[ServerSettings], None] = lambda settings: None,
    ) -> None:
        self._host = host
        self._settings = settings
        self._reload = reload
        self._renew = renew
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._reading = asyncio.Lock()
        self._applying = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._opening = threading.Lock()
        self._store: Optional[Store] = None
        self._loaded = [] if loaded is None else [loaded]
        self._prints = {model.name: fingerprint(model) for model in settings.models}
        self._configured = {model.name: model for model in settings.models}
        self._state = DesiredState()

    # At the start

    async def reconcile(self) -> None:
        """Deploy again what the desired state holds. A model that fails is told of, and kept."""
        path = self._settings.desired
        if path is None:
            return
        self._state = await asyncio.to_thread(desired_state.read, path)
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
        async with self._lock_of(name):
            try:
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
                await self._remember(lambda state: state.having(wanted))
            finally:
                self._release_others(name)
            return self._host.models[name]

    async def remove(self, name: str) -> None:
        """Unload a model for good; KeyError for an unknown name."""
        self._check_owner(name)
        async with self._lock_of(name):
            if name not in self._host.models:
                raise KeyError(name)
            await self._remember(lambda state: state.lacking(name))
            await self._host.remove(name, self._settings.grace)
            self._release_others(name)

    async def scale(self, name: str, replicas: int) -> Model:
        """Change the number of replicas; KeyError for an unknown name."""
        if not 1 <= replicas <= 1000:
            raise SettingsError(f"wrong number of replicas {replicas}: expected 1 to 1000.")
        async with self._lock_of(name):
            model = self._host.models[name]
            await model.scale(replicas)
            wanted = self._state.models.get(name)
            if wanted is not None:
                scaled = replace(wanted, replicas=replicas)
                await self._remember(lambda state: state.having(scaled))
        return model

    def _lock_of(self, name: str) -> asyncio.Lock:
        """What changes to one model wait for; a model that takes long to load keeps no other."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock

    def _release_others(self, name: str) -> None:
        """Let the versions of a model go that are not the one that should be there."""
        wanted, store = self._state.models.get(name), self._store
        if store is None:
            return
        for version in store.held:
            if version.name == name and (wanted is None or version.digest != wanted.digest):
                store.release(version)

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
        with self._opening:  # asked from several threads
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

    async def _remember(self, change: Callable[[DesiredState], DesiredState]) -> None:
        async with self._writing:
            self._state = change(self._state)
            if self._settings.desired is not None:
                await asyncio.to_thread(desired_state.write, self._settings.desired, self._state)

    # The configuration

    async def reload(self) -> Changes:
        """Read the configuration again and make it true; SettingsError leaves all as it was."""
        return Changes() if self._reload is None else await self.apply(await self.read())

    async def read(self) -> Loaded:
        """The first half of :meth:`reload`: read it, and take over what is not of models."""
        assert self._reload is not None
        async with self._reading:
            loaded = await asyncio.to_thread(self._reload)
            try:
                self._renew(loaded.settings)
            except BaseException:
                loaded.let_go()
                raise
            return loaded

    async def apply(self, loaded: Loaded) -> Changes:
        """The second half: load, scale and remove models."""
        async with self._applying:
            wanted = {model.name: model for model in loaded.settings.models}
            prints = await asyncio.to_thread(
                lambda: {name: fingerprint(model) for name, model in wanted.items()}
            )
            self._loaded.append(loaded)
            try:
                changes = await self._apply(wanted, prints)
            finally:
                self._let_go()
        log.warning(
            "configuration read again: loaded %s, scaled %s, removed %s, failed %s",
            *(list(part) for part in (changes.loaded, changes.scaled, changes.removed)),
            dict(changes.failed),
        )
        return changes

    async def _apply(
        self, wanted: Dict[str, HostedModel], prints: Dict[str, Fingerprint]
    ) -> Changes:
        done: Dict[str, List[str]] = defaultdict(list)
        for name, hosted in wanted.items():
            async with self._lock_of(name):
                done[await self._become(hosted, prints[name])].append(name)
        for name in [name for name in self._configured if name not in wanted]:
            async with self._lock_of(name):
                del self._configured[name]
                await self._host.remove(name, self._settings.grace)
            done["removed"].append(name)
        failed = {name: self._failure(name) for name in done["failed"]}
        loaded, scaled, removed = (tuple(done[word]) for word in ("loaded", "scaled", "removed"))
        return Changes(loaded, scaled, removed, failed)

    async def _become(self, hosted: HostedModel, seen: Fingerprint) -> str:
        """Make one model what the configuration says; what that took."""
        name, old = hosted.name, self._configured.get(hosted.name)
        if old is not None and seen == self._prints.get(name):
            if old == hosted:
                return "unchanged"
            if replace(old, workers=hosted.workers) == hosted:
                await self._host.models[name].scale(hosted.workers)
                self._configured[name] = hosted
                return "scaled"
        if not await self._host.deploy(hosted):
            return "failed"
        self._configured[name] = hosted
        self._prints[name] = seen
        return "loaded"

    def _failure(self, name: str) -> str:
        failure = self._host.models[name].failure
        return failure.message if failure is not None else "it did not load"

    def _let_go(self) -> None:
        """Of what earlier readings hold, keep only what is still served and not held anew."""
        *earlier, newest = self._loaded
        served = {os.path.realpath(model.spec.code_dir) for model in self._configured.values()}
        if newest.store is not None:
            served -= {os.path.realpath(version.path) for version in newest.store.held}
        self._loaded = [*(old for old in earlier if not old.let_go(served)), newest]

    def close(self) -> None:
        """Let the versions in the store go; they stay for the next start."""
        for loaded in self._loaded:
            loaded.let_go()
        if self._store is not None:
            self._store.close()
