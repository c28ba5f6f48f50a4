"""Models of a registry, followed: fetched in the background, replaced and dropped as it changes.

The registry is looked at again and again. A look that fails changes nothing: what is served stays.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, TypeVar

from polyhost.config.followed import followed_model
from polyhost.deploy import registry_memory
from polyhost.deploy.annotations import annotate
from polyhost.deploy.deployer import Deployer
from polyhost.deploy.registry_memory import Known
from polyhost.errors import PolyhostError, StoreError, TrackingUnreachable
from polyhost.predictor import ModelSpec
from polyhost.settings import ModelConfig, RegistrySettings, ServerSettings
from polyhost.store import Version
from polyhost.store.tracked import Tracked
from polyhost.tracking import Access, open_backend
from polyhost.tracking.tagged import Wanted, wanted_versions

logger = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE = 4
"""Models fetched at the same time."""
MAY_PASS = (TrackingUnreachable, StoreError)
"""Failures after which a version is tried again at the next look."""


def follow_registry(settings: ServerSettings, deployer: Deployer) -> Optional[asyncio.Task[None]]:
    """Begin to follow the registry of the settings; None where there is none."""
    if settings.registry is None:
        return None
    follower = RegistryFollower(settings.registry, deployer)
    return asyncio.get_running_loop().create_task(follower.run())


class RegistryFollower:
    """Has a deployer serve what a registry has."""

    def __init__(self, settings: RegistrySettings, deployer: Deployer) -> None:
        self._settings = settings
        self._deployer = deployer
        self._backend = open_backend(Access.of(os.environ, settings.uri))
        self._served: Dict[str, Wanted] = {}
        self._failed: Dict[str, Wanted] = {}
        self._versions: Dict[str, Version] = {}
        self._left_out: Dict[str, str] = {}
        self._reachable = True
        self._read_once = False
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(self._settings.interval)
        finally:
            self._backend.close()

    async def look(self) -> None:
        """Look once, and make what is served what the registry has."""
        try:
            wanted = await _aside(
                wanted_versions,
                self._backend,
                self._settings.tag,
                self._settings.follow,
                self._leave_out,
            )
        except Exception as error:
            self._report_unread(error)
            if not self._read_once:
                self._read_once = True
                await self._restore()
            return
        self._read_once = True
        if not self._reachable:
            logger.warning("the registry at %s can be read again", self._backend.shown)
            self._reachable = True
        gone = set(self._served) - set(wanted)
        await asyncio.gather(*(self._drop(name) for name in gone))
        for name in set(self._failed) - set(wanted):
            del self._failed[name]
            self._deployer.forget_failure(name)
        before = dict(self._served)
        await asyncio.gather(*(self._follow(name, one) for name, one in wanted.items()))
        if self._served != before or gone:
            await _aside(self._remember)

    def _report_unread(self, error: Exception) -> None:
        """Log once why nothing is known of the registry."""
        text = "the registry cannot be read; what is served stays: %s"
        if not isinstance(error, PolyhostError):
            logger.error(text, repr(error), exc_info=error)
        elif self._reachable:
            logger.warning(text, error)
        self._reachable = False

    def _leave_out(self, registered: str, why: str) -> None:
        """Log once why a registered model is not served."""
        if self._left_out.get(registered) != why:
            logger.warning("registered model %r is not served: %s", registered, why)
            self._left_out[registered] = why

    async def _follow(self, name: str, wanted: Wanted) -> None:
        """Serve a version, unless it is served or has failed already."""
        owner = self._deployer.owner(name)
        if owner:
            self._served.pop(name, None)
            self._leave_out(wanted.registered, f"the name {name!r} is taken by {owner}")
            return
        if wanted in (self._served.get(name), self._failed.get(name)):
            return
        async with self._slots:
            try:
                hosted, version = await _aside(self._fetch, name, wanted)
                await self._deployer.follow(hosted)
            except Exception as error:
                self._fail(name, wanted, error)
                return
        self._failed.pop(name, None)
        self._deployer.forget_failure(name)
        self._left_out.pop(wanted.registered, None)
        self._hold(name, version)
        self._served[name] = wanted
        logger.info("model %s: version %d of %r", name, wanted.version, wanted.registered)

    def _fail(self, name: str, wanted: Wanted, error: Exception) -> None:
        """Note why a version is not served; it is tried again where the cause may pass."""
        ours = isinstance(error, PolyhostError)
        logger.error(
            "model %s: version %d of %r cannot be served: %s",
            name,
            wanted.version,
            wanted.registered,
            error if ours else repr(error),
            exc_info=None if ours else error,
        )
        self._deployer.note_failure(name, str(error))
        if not isinstance(error, MAY_PASS):
            self._failed[name] = wanted

    def _fetch(self, name: str, wanted: Wanted) -> Tuple[ModelConfig, Version]:
        """The model's configuration, and its version in the store. Runs in a thread."""
        source = Tracked.of(wanted.address, self._backend)
        version = self._deployer.store().add(source, name)
        return self._hosted(name, wanted, version), version

    def _hosted(self, name: str, wanted: Wanted, version: Version) -> ModelConfig:
        settings = {"version": str(wanted.version), "lazy": self._settings.lazy}
        hosted = followed_model(name, version.path, settings, self._deployer.layers)
        signature = _signature(hosted.spec)
        said = annotate(wanted.registered, wanted.version, wanted.tags, signature)
        return replace(hosted, annotations=said)

    # A start without the registry

    def _remember(self) -> None:
        """Note what is served, for such a start."""
        models = [
            Known(name, one.registered, one.version, dict(one.tags), self._versions[name].digest)
            for name, one in sorted(self._served.items())
            if name in self._versions
        ]
        registry_memory.write(self._deployer.store().root, self._settings, models)

    async def _restore(self) -> None:
        """Serve what the registry had when it was last read, as far as the store still has it."""
        try:
            store = await _aside(self._deployer.store)
            known = await _aside(registry_memory.read, store.root, self._settings)
        except PolyhostError as error:
            logger.error("what the registry had is not known: %s", error)
            return
        for one in known:
            wanted = Wanted(one.registered, one.version, one.tags)
            try:
                found = [v for v in store.versions(one.name) if v.digest == one.digest]
                if not found or self._deployer.owner(one.name):
                    continue
                version = store.hold(found[0])
                hosted = await _aside(self._hosted, one.name, wanted, version)
                await self._deployer.follow(hosted)
            except PolyhostError as error:
                logger.error("model %s, as the registry had it: %s", one.name, error)
                continue
            self._hold(one.name, version)
            self._served[one.name] = wanted
        if self._served:
            names = ", ".join(sorted(self._served))
            logger.warning("served as the registry had them when it was last read: %s", names)

    def _hold(self, name: str, version: Optional[Version]) -> None:
        """Release the version in the store that this one replaces."""
        before = self._versions.pop(name, None)
        if before is not None and before != version:
            self._deployer.store().release(before)
        if version is not None:
            self._versions[name] = version

    async def _drop(self, name: str) -> None:
        wanted = self._served.pop(name)
        await self._deployer.unfollow(name)
        self._hold(name, None)
        logger.info("model %s: the registry has %r no longer", name, wanted.registered)


async def _aside(work: Callable[..., T], *arguments: Any) -> T:
    """Run in a thread that the end of the process does not wait for: a server that never answers
    must not keep this one from ending."""
    loop = asyncio.get_running_loop()
    done: Future[T] = Future()

    def run() -> None:
        try:
            result = work(*arguments)
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=run, name="polyhost-registry", daemon=True).start()
    return await asyncio.wrap_future(done, loop=loop)


def _signature(spec: ModelSpec) -> Optional[Mapping[str, Any]]:
    found = (spec.options.get("mlmodel") or {}).get("signature")
    return found if isinstance(found, Mapping) else None
