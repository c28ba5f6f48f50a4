"""Changes to a running server: over the admin API, from its configuration, and at its start.

What the admin API deploys is put into the store and written down in the desired state, so that it
is there again after a restart. What the configuration file says is read again on SIGHUP, or when
the file changes. A name that both have is the configuration's, at every moment as after a restart:
what was deployed under it is served again once the configuration no longer has it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple
from weakref import WeakValueDictionary

from polyhost.code_dir.fingerprint import Fingerprint, fingerprint
from polyhost.code_dir.training_code import never_trains
from polyhost.config import Loaded, keys_in
from polyhost.config.reading import Values
from polyhost.data.target import Target
from polyhost.deploy import trained
from polyhost.deploy.deployed import Deployed
from polyhost.deploy.desired_state import DesiredEntry
from polyhost.deploy.training import Training, Trainings, target_from, target_to_plain
from polyhost.errors import CodeDirError, MissingHook, PolyhostError, SettingsError
from polyhost.host.host import Host
from polyhost.host.model_slot import ModelSlot
from polyhost.host.request import Body
from polyhost.settings import ModelConfig, ServerSettings
from polyhost.store import Store

logger = logging.getLogger(__name__)

Reload = Callable[[], Loaded]
"""Reads the configuration again; SettingsError with every mistake in it."""


@dataclass(frozen=True)
class Changes:
    """What a reload did, by model name; ``failed`` has the reason."""

    loaded: Tuple[str, ...] = ()
    scaled: Tuple[str, ...] = ()
    removed: Tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


class Deployer:
    """Carries out changes to a host's models, for each model one at a time.

    ``loaded``: what ``settings`` came from; it holds the versions that are served. ``renew`` takes
    over what is not of models, before they are touched; SettingsError refuses. StateError when the
    desired state cannot be read.
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
        self._deployed = Deployed(settings)
        self._notes = trained.Notes(self._deployed.place)
        self.trainings = Trainings(host)
        self._loaded = [] if loaded is None else [loaded]
        self._path = None if loaded is None else loaded.path
        self._current = settings
        self._prints = {model.name: fingerprint(model) for model in settings.models}
        self._configured = {model.name: model for model in settings.models}
        self._followed: Set[str] = set()

    # At the start

    async def reconcile(self) -> None:
        """Deploy again what the desired state holds. A model that fails is reported, and kept."""
        wanted = self._deployed.state.models.values()
        await asyncio.gather(*(self._reconcile(model) for model in wanted))

    async def _reconcile(self, wanted: DesiredEntry) -> None:
        name = wanted.name
        async with self._lock_of(name):
            if self._deployed.state.models.get(name) is not wanted:
                return  # changed over the admin API meanwhile
            if name in self._configured:
                self._report_twice(name)
                return
            try:
                await self._host.deploy(self.latest(await self._hosted(wanted)))
            except PolyhostError as error:
                self._deployed.failed[name] = error.message
                logger.error("model %s of the desired state: %s", name, error)

    def _report_twice(self, name: str) -> None:
        logger.warning(
            "model %s is in the configuration and was deployed over the admin API: the "
            "configuration's is served. Unload it over the admin API, or take it out of the "
            "configuration.",
            name,
        )

    # The admin API

    @property
    def failed(self) -> Mapping[str, str]:
        """Why models of the desired state are not there at all, by name."""
        return self._deployed.failed

    async def deploy(
        self,
        name: str,
        source: str,
        settings: Mapping[str, Any],
        replicas: int,
        version: str,
        roots: Sequence[Path] = (),
    ) -> ModelSlot:
        """Load a model, or replace the version that is there; returns when it answers. ``roots``:
        where it may come from, beside the roots of the admin API.

        SettingsError: the source lies outside of the allowed roots, or the settings are wrong.
        StateError: it could not be written down. The error that kept it from loading is raised
        too. What was there before still answers.
        """
        self._check_owner(name)
        self._deployed.check_workers(replicas)
        place = self._deployed.check_source(source, roots)
        async with self._lock_of(name):
            before = self._deployed.state.models.get(name)
            try:
                await self._deployed.check_state()
                wanted = await asyncio.to_thread(
                    self._deployed.publish, name, place, settings, replicas, version
                )
                await self._bring(await self._hosted(wanted))
                try:
                    await self._deployed.remember(lambda state: state.having(wanted))
                except PolyhostError:
                    await self._undo(name, before)
                    raise
                self._deployed.failed.pop(name, None)
            finally:
                self._deployed.release_others(name)
            return self._host.models[name]

    async def _hosted(self, wanted: DesiredEntry) -> ModelConfig:
        return await asyncio.to_thread(self._deployed.hosted, wanted, self.layers)

    async def _bring(self, hosted: ModelConfig) -> None:
        """Have the host load it; its failure is raised, and a name that is new is gone again."""
        new = hosted.name not in self._host.models
        if await self._host.deploy(hosted):
            return
        failure = self._host.models[hosted.name].failure
        if new:
            await self._host.remove(hosted.name, 0.0)
        raise failure or _not_loaded(hosted.name)

    async def _undo(self, name: str, before: Optional[DesiredEntry]) -> None:
        """Serve again what was served before a deployment that could not be written down."""
        try:
            if before is not None:
                await self._host.deploy(await self._hosted(before))
                return
        except PolyhostError as error:
            logger.error("model %s: the version before cannot be served again: %s", name, error)
        await self._host.remove(name, 0.0)

    async def remove(self, name: str) -> str:
        """Unload a model for good; the state that the name is in then. KeyError for an unknown name.

        Of one that the configuration has as well, only what was deployed goes.
        """
        deployed = name in self._deployed.state.models
        if not deployed:
            self._check_owner(name)
        async with self._lock_of(name):
            if name not in self._host.models and name not in self._deployed.state.models:
                raise KeyError(name)
            await self._deployed.remember(lambda state: state.lacking(name))
            self._deployed.failed.pop(name, None)
            if name not in self._configured:
                await asyncio.to_thread(self._notes.remove, name)
            if name not in self._configured and name in self._host.models:
                await self._host.remove(name, self._settings.grace)
            self._deployed.release_others(name)
            left = self._host.models.get(name)
            return "stopped" if left is None else left.state.value

    async def scale(self, name: str, replicas: int) -> ModelSlot:
        """Change the number of replicas; KeyError for an unknown name."""
        async with self._lock_of(name):
            model = self._host.models[name]
            self._deployed.check_workers(replicas + model.config.spares)
            wanted = self._deployed.state.models.get(name)
            if wanted is not None and name not in self._configured:
                scaled = replace(wanted, replicas=replicas)
                await self._deployed.remember(lambda state: state.having(scaled))
            await model.scale(replicas)
        return model

    # The model repository of V2

    async def reload_model(self, name: str) -> None:
        """Load a model that is known, again where it is loaded; KeyError for an unknown name.

        The error that kept it from loading is raised; what answered before goes on.
        """
        async with self._lock_of(name):
            wanted = self._deployed.state.models.get(name)
            if name in self._host.models:
                if not await self._host.load_again(name):
                    raise self._host.models[name].failure or _not_loaded(name)
            elif wanted is not None:
                await self._bring(await self._hosted(wanted))
                self._deployed.failed.pop(name, None)
            else:
                raise KeyError(name)

    async def park(self, name: str) -> None:
        """Unload a model until it is loaded on request, or the server starts again."""
        async with self._lock_of(name):
            await self._host.park(name)

    # A registry

    @property
    def layers(self) -> Values:
        """The server's own settings, with what they say of every model."""
        return self._loaded[-1].layers if self._loaded else {}

    def store(self) -> Store:
        """The store of what is deployed while the server runs."""
        return self._deployed.open_store()

    def owner(self, name: str) -> str:
        """Who else a name belongs to, so that a registry may not serve a model under it."""
        if name in self._configured:
            return "a model of the configuration"
        return "a model deployed over the admin API" if name in self._deployed.state.models else ""

    async def follow(self, hosted: ModelConfig) -> None:
        """Serve a model of the registry, or another version of it. What kept it from loading is
        raised; what was there before still answers."""
        async with self._lock_of(hosted.name):
            if not self.owner(hosted.name):
                self._followed.add(hosted.name)
                await self._bring(hosted)

    async def unfollow(self, name: str) -> None:
        """Unload a model that the registry has no longer."""
        async with self._lock_of(name):
            self._followed.discard(name)
            if not self.owner(name) and name in self._host.models:
                await self._host.remove(name, self._settings.grace)

    def note_failure(self, name: str, reason: str) -> None:
        """Note why a model of the registry is not there."""
        self._deployed.failed[name] = reason

    def forget_failure(self, name: str) -> None:
        """Forget it: the model is there, or is wanted no more."""
        if name not in self._deployed.state.models:
            self._deployed.failed.pop(name, None)

    def _lock_of(self, name: str) -> asyncio.Lock:
        """What changes to one model wait for; a model that takes long to load keeps no other."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock

    def _check_owner(self, name: str) -> None:
        if name in self._followed:
            raise SettingsError(
                f"model {name!r} belongs to the registry: change it there, or deploy under another "
                "name."
            )
        if name in self._configured:
            raise SettingsError(
                f"model {name!r} belongs to the configuration: change it there, or deploy under "
                "another name."
            )

    # Training

    async def train(self, name: str, meta: bytes, body: Body) -> Training:
        """Train a model and have it answer with what training left; KeyError for an unknown name.

        What kept it from that is raised: the version before answers still, and is there after a
        restart.
        """
        model = self._host.models[name]
        spec = model.config.spec
        if never_trains(spec.code_dir, spec.custom_file):
            raise MissingHook(
                f"this model cannot be trained here: expected a fit hook in {spec.code_dir.name}; found "
                f"{spec.custom_file or 'no custom file'}. Define fit there.",
                hook="fit",
            )

        async def publish(folder: Path, target: Target) -> str:
            return await self._use_trained(name, folder, target)

        return await self.trainings.run(model.config, meta, body, publish)

    async def _use_trained(self, name: str, folder: Path, target: Target) -> str:
        async with self._lock_of(name):
            own = await self._own(name)
            made = await asyncio.to_thread(self._deployed.publish_trained, name, folder)
            config = trained.with_version(
                self._host.models[name].config, made.path, made.digest, target
            )
            note = trained.Note(made.digest, trained.base_of(own), target_to_plain(target))
            await asyncio.to_thread(self._notes.prepare, name, note)
            try:
                await self._bring(config)
            except BaseException:
                self._notes.drop(name)
                raise
            self._notes.commit(name)
            self._deployed.release_trained(name, made)
            return config.version

    async def _own(self, name: str) -> ModelConfig:
        """The model as the configuration, the registry or the desired state has it; KeyError when
        none does."""
        configured = self._configured.get(name)
        if configured is not None:
            return configured
        if name in self._followed:
            return self._host.models[name].config
        return await self._hosted(self._deployed.state.models[name])

    def latest(self, config: ModelConfig) -> ModelConfig:
        """The model with the version that was trained last, where its own folder is as it was."""
        note = self._notes.read(config.name)
        if note is None:
            return config
        if note.base != trained.base_of(config):
            logger.warning(
                "model %s: its folder has changed since version %s was trained, and is served as "
                "it is now",
                *(config.name, note.digest[:12]),
            )
            return config
        try:
            made = self._deployed.trained_version(config.name, note.digest)
        except PolyhostError as error:
            logger.error("model %s: %s Its own folder is served.", config.name, error)
            return config
        return trained.with_version(config, made.path, made.digest, target_from(note.target))

    def first_models(self) -> List[ModelConfig]:
        """The models of the configuration as they are to be served at the start."""
        return [self.latest(model) for model in self._settings.models]

    # The configuration

    async def reload(self) -> Changes:
        """Read the configuration again and make it true; SettingsError leaves all as it was."""
        return Changes() if self._reload is None else await self.apply(await self.read())

    async def read(self) -> Loaded:
        """The first half of :meth:`reload`: read it, and take over what is not of models."""
        assert self._reload is not None
        async with self._reading:
            try:
                loaded = await asyncio.to_thread(self._reload)
            except PolyhostError:
                await self._revoke()
                raise
            try:
                self._renew(loaded.settings)
            except BaseException:
                loaded.let_go()
                self._current = replace(self._current, keys=loaded.settings.keys)
                raise
            self._current = loaded.settings
            return loaded

    async def _revoke(self) -> None:
        """Take back what keys no longer open, though the rest of the configuration is wrong."""
        if self._path is None or not self._current.keys:
            return
        found = await asyncio.to_thread(keys_in, self._path, self._current.keys)
        if found is None or found == self._current.keys:
            return
        gone = {key.name for key in self._current.keys} - {key.name for key in found}
        logger.warning(
            "keys are taken over from the configuration; gone: %s", sorted(gone) or "none"
        )
        self._current = replace(self._current, keys=found)
        self._renew(self._current)

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
        logger.warning(
            "configuration read again: loaded %s, scaled %s, removed %s, failed %s",
            *(list(part) for part in (changes.loaded, changes.scaled, changes.removed)),
            dict(changes.failed),
        )
        return changes

    async def _apply(
        self, wanted: Dict[str, ModelConfig], prints: Dict[str, Fingerprint]
    ) -> Changes:
        done: Dict[str, List[str]] = defaultdict(list)
        for name, hosted in wanted.items():
            async with self._lock_of(name):
                done[await self._become(hosted, prints[name])].append(name)
        for name in [name for name in self._configured if name not in wanted]:
            async with self._lock_of(name):
                done[await self._leave(name)].append(name)
        failed = {name: self._failure(name) for name in done["failed"]}
        loaded, scaled, removed = (tuple(done[word]) for word in ("loaded", "scaled", "removed"))
        return Changes(loaded, scaled, removed, failed)

    async def _leave(self, name: str) -> str:
        """The configuration has a model no longer: another that was deployed is served again."""
        wanted = self._deployed.state.models.get(name)
        del self._configured[name]
        if wanted is None:
            await self._host.remove(name, self._settings.grace)
            return "removed"
        try:
            return "loaded" if await self._host.deploy(await self._hosted(wanted)) else "failed"
        except PolyhostError as error:
            self._deployed.failed[name] = error.message
            logger.error("model %s of the desired state: %s", name, error)
            await self._host.remove(name, self._settings.grace)
            return "removed"

    async def _become(self, hosted: ModelConfig, seen: Fingerprint) -> str:
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
        if old is None and name in self._deployed.state.models:
            self._report_twice(name)
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
        self._deployed.close()


def _not_loaded(name: str) -> PolyhostError:
    return CodeDirError(f"model {name!r} could not be loaded")
