"""What the admin API deployed: where it may come from, its versions, and the desired state."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from polyhost.config.deployed import check_workers, load_model
from polyhost.config.reading import Values
from polyhost.deploy import desired_state
from polyhost.deploy.desired_state import DesiredEntry, DesiredState, flat
from polyhost.errors import SettingsError, StoreError
from polyhost.settings import OWN_ENVIRONMENTS, ModelConfig, ServerSettings
from polyhost.store import Store, Version
from polyhost.store.addresses import shown
from polyhost.store.sources import is_address
from polyhost.store.store import default_store


def _is_below(address: str, start: str) -> bool:
    """``s3://bucket/models`` is the start of ``s3://bucket/models/a``, not of ``s3://bucket/models-b``."""
    return address.startswith(start if start.endswith(("/", ":")) else f"{start}/")


class Deployed:
    """The models of the desired state, and the store that holds their versions.

    StateError when the file of the desired state cannot be used.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._writing = asyncio.Lock()
        self._opening = threading.Lock()
        self._store: Optional[Store] = None
        path = settings.desired
        self.state = DesiredState() if path is None else desired_state.read(path)
        self.failed: Dict[str, str] = {}
        """Why a model of the desired state is not there at all, by its name."""

    def check_source(self, source: str, more: Sequence[Path] = ()) -> str:
        """Where a source really is; SettingsError when that is not below an allowed root, or an
        address that is not allowed.

        What lies outside is refused alike, whether anything is there or not.
        """
        if is_address(source):
            return self._check_address(source)
        roots = [Path(os.path.realpath(root)) for root in (*self._settings.admin.roots, *more)]
        real = Path(os.path.realpath(source))
        if not any(real.is_relative_to(root) for root in roots):
            raise SettingsError(
                f"source: models may not be loaded from {source!r}: expected a folder or archive "
                f"below {', '.join(map(str, roots)) or 'an allowed root (none is set: admin.roots)'}."
            )
        if not os.path.exists(real):
            raise SettingsError(
                f"source: nothing at {source!r}: expected a model's folder or archive."
            )
        return str(real)

    def _check_address(self, source: str) -> str:
        allowed = self._settings.admin.addresses
        if ".." in source.split("/") or not any(_is_below(source, start) for start in allowed):
            raise SettingsError(
                f"source: models may not be loaded from {shown(source)!r}: expected an address that "
                f"begins with {', '.join(allowed) or 'an allowed one (none is: admin.addresses)'}, or "
                "a folder or archive below one of admin.roots."
            )
        return source

    def check_workers(self, count: int) -> None:
        """SettingsError when one model would have more workers than the admin API may give it."""
        check_workers(count, self._settings.admin)

    def publish(
        self, name: str, source: str, settings: Mapping[str, Any], replicas: int, version: str
    ) -> DesiredEntry:
        """Put a source into the store; its entry in the desired state, which is not written yet."""
        plain = flat(settings)
        made = self.open_store().add(source, name)
        return DesiredEntry(
            name=name,
            source=source,
            version=version or made.label or made.digest[:12],
            digest=made.digest,
            replicas=replicas,
            settings=plain,
        )

    def hosted(self, wanted: DesiredEntry, layers: Values) -> ModelConfig:
        """What the host is to hold for an entry of the desired state."""
        self._check_build(wanted)
        folder = Path(wanted.source)
        if wanted.digest is not None:
            store = self.open_store()
            found = [v for v in store.versions(wanted.name) if v.digest == wanted.digest]
            if not found:
                found = [store.add(wanted.source, wanted.name)]
            folder = store.hold(found[0]).path
        return load_model(
            wanted.name,
            folder,
            wanted.settings,
            replicas=wanted.replicas,
            version=wanted.version,
            admin=self._settings.admin,
            layers=layers,
        )

    def publish_trained(self, name: str, folder: Path) -> Version:
        """Put what training left into the store."""
        return self.open_store().add(folder, name)

    @property
    def place(self) -> Path:
        """Where the store is, or would be."""
        return self._settings.store.path or default_store()

    def trained_version(self, name: str, digest: str) -> Version:
        """A trained version, held; StoreError when it is gone."""
        store = self.open_store()
        for version in store.versions(name):
            if version.digest == digest:
                return store.hold(version)
        raise StoreError(f"the trained version {digest[:12]} of {name!r} is not in the store.")

    def release_trained(self, name: str, kept: Version) -> None:
        """Release the other versions of a model that the desired state does not name."""
        wanted, store = self.state.models.get(name), self._store
        for version in () if store is None else store.held:
            if version.name == name and version != kept:
                if wanted is None or version.digest != wanted.digest:
                    self.open_store().release(version)

    def _check_build(self, wanted: DesiredEntry) -> None:
        """SettingsError where a deployment would run its code with more rights than a worker has."""
        user = self._settings.worker_user
        if user is not None and wanted.settings.get("env") in OWN_ENVIRONMENTS:
            raise SettingsError(
                f"settings: env: {wanted.settings['env']} builds an environment, which runs code of the "
                f"model's requirements as the server's user, and workers are to run as {user!r}. "
                "Name an interpreter below the roots, or set env in the configuration."
            )

    async def check_state(self) -> None:
        """StateError when the desired state could not be written; it is, as it was."""
        await self.remember(lambda state: state)

    async def remember(self, change: Callable[[DesiredState], DesiredState]) -> None:
        """Change the desired state, in the file first; StateError leaves it as it was."""
        async with self._writing:
            changed = change(self.state)
            if self._settings.desired is not None:
                await asyncio.to_thread(desired_state.write, self._settings.desired, changed)
            self.state = changed

    def release_others(self, name: str) -> None:
        """Release the versions of a model that are not the one of the desired state."""
        wanted, store = self.state.models.get(name), self._store
        if store is None:
            return
        for version in store.held:
            if version.name == name and (wanted is None or version.digest != wanted.digest):
                store.release(version)

    def close(self) -> None:
        """Release all versions; they stay for the next start."""
        if self._store is not None:
            self._store.close()

    def open_store(self) -> Store:
        """The store, opened when it is first needed; StoreError when it cannot be."""
        with self._opening:  # called from several threads
            if self._store is None:
                place, kept = self.place, self._settings.store
                try:
                    self._store = Store(place, kept.quota)
                except OSError as error:
                    raise StoreError(
                        f"cannot open the store at {place}: {error.strerror or error}. Give "
                        "another place as store.path."
                    ) from error
            return self._store
