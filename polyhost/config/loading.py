"""The configuration of a server, from all that speaks of it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyhost.config.checks import check_keys, check_model, check_server
from polyhost.config.keys import read_keys
from polyhost.config.layers import of_model, of_server
from polyhost.config.models import Versions, build_model, under
from polyhost.config.problems import Problems
from polyhost.config.reading import Document, Values, read
from polyhost.config.schema import flags as flags_of_schema
from polyhost.errors import PolyhostError, SettingsError
from polyhost.settings import (
    MODEL_NAME,
    AdminSettings,
    ApiKey,
    HostLimits,
    ModelConfig,
    RegistrySettings,
    ServerSettings,
    Setting,
    Source,
    StoreSettings,
    Tls,
)

if TYPE_CHECKING:
    from polyhost.store import Store

EVERY_TAG = "any"
"""What registry.tag says when models are served whatever their tags."""


@dataclass(frozen=True)
class Loaded:
    """A configuration that was found right.

    ``server``, ``models`` and ``keys``: every effective setting with its source, by dotted name.
    ``store`` holds the versions that the models are of; None when all are folders of their own.
    ``layers`` is ``server`` with the settings under ``defaults``.
    """

    settings: ServerSettings
    server: Values
    models: Mapping[str, Values]
    keys: tuple[Values, ...] = ()
    path: Path | None = None
    store: Store | None = None
    layers: Values = field(default_factory=dict)

    @property
    def sources(self) -> dict[str, Setting[Any]]:
        """Every setting by dotted name, those of models and keys under theirs."""
        found = dict(self.server)
        for number, values in enumerate(self.keys, 1):
            found.update({f"keys.{number}.{name}": value for name, value in values.items()})
        for model, values in self.models.items():
            found.update({f"models.{model}.{name}": value for name, value in values.items()})
        return found

    def let_go(self, used: Collection[str] = ()) -> bool:
        """Release versions that are none of these (real) paths; True when none is left held."""
        if self.store is None:
            return True
        for version in self.store.held:
            if os.path.realpath(version.path) not in used:
                self.store.release(version)
        return not self.store.held


def load(
    path: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, Any],
    models: Sequence[tuple[str, str]] = (),
) -> Loaded:
    """The configuration of a server; SettingsError with every mistake in it, each with its line.

    ``flags``: values by the dotted names of :func:`polyhost.config.schema.flags`. ``models``:
    names and paths from the command line, beside those of the file.
    """
    problems = Problems()
    document = read(path, problems) if path else Document()
    _add_models(document, models)
    server = of_server(document, environ, flags, problems)
    check_server(server, problems)
    check_keys(document, server, problems)
    keys = read_keys(document, environ, problems)
    _check_flags_for_one(document, flags, problems)
    versions = Versions(StoreSettings(server["store.path"].value, server["store.quota"].value))
    try:
        settled, hosted = _build(document, server, environ, flags, versions, problems)
        problems.raise_if_any()
    except BaseException:
        if versions.store is not None:
            versions.store.close()
        raise
    settings = _settings(server, hosted, keys)
    shown = {name: values for name, values in server.items() if not name.startswith("defaults.")}
    return Loaded(settings, shown, settled, tuple(document.keys), path, versions.store, server)


def _build(
    document: Document,
    server: Values,
    environ: Mapping[str, str],
    flags: Mapping[str, Any],
    versions: Versions,
    problems: Problems,
) -> tuple[dict[str, Values], tuple[ModelConfig, ...]]:
    """Every model's settings, and the models; what is wrong with them goes to the problems."""
    alone = len(document.models) == 1
    settled = {
        name: of_model(own, server, environ, flags, alone=alone)
        for name, own in document.models.items()
    }
    hosted: list[ModelConfig] = []
    for name, values in settled.items():
        where = document.places.get(f"models.{name}", "")
        check_model(name, values, server, problems)
        if values["path"].value is None:
            continue  # reported while reading
        try:
            folder = versions.folder(name, values)
            hosted.append(build_model(name, values, folder))
        except PolyhostError as error:
            problems.add_error(where, error, name)
    return settled, tuple(hosted)


def _add_models(document: Document, models: Sequence[tuple[str, str]]) -> None:
    for name, source in models:
        if not MODEL_NAME.fullmatch(name):
            raise SettingsError(
                f"wrong model name {name!r}: expected letters, digits, '_', '-' and '.', up to "
                "128. Give another as NAME=DIR."
            )
        if name in document.models:
            raise SettingsError(
                f"two models are called {name!r}: each needs a name of its own. "
                "Give one as NAME=DIR."
            )
        document.models[name] = {"path": Setting(source, Source.FLAG, "command line")}


def _check_flags_for_one(document: Document, flags: Mapping[str, Any], problems: Problems) -> None:
    if len(document.models) < 2:
        return
    for name, setting in flags_of_schema():
        if name in flags and name.startswith(("models.target.", "models.language")):
            problems.add_error(
                "",
                SettingsError(
                    f"{setting.flag} speaks of one model; found {len(document.models)} folders. "
                    "Put it in the model-metadata.yaml of each."
                ),
            )


def _registry(values: Values) -> RegistrySettings | None:
    uri, tag = values["registry.uri"].value, values["registry.tag"].value
    if uri is None:
        return None
    return RegistrySettings(
        uri=uri,
        tag=None if tag == EVERY_TAG else tag,
        follow=values["registry.follow"].value,
        interval=values["registry.interval"].value,
        lazy=values["registry.lazy"].value,
    )


def _settings(
    values: Values, models: tuple[ModelConfig, ...], keys: tuple[ApiKey, ...]
) -> ServerSettings:
    certificate, key = values["tls.certificate"].value, values["tls.key"].value
    sources = {name: setting.source for name, setting in values.items()}
    return ServerSettings(
        address_host=values["host"].value,
        port=values["port"].value,
        url_prefix=values["url_prefix"].value,
        models=models,
        show_perf=values["show_perf"].value,
        verbose=values["verbose"].value,
        show_stacktrace=values["show_stacktrace"].value,
        strict_rows=True,
        logging_level=values["logging_level"].value,
        log_format=values["log_format"].value,
        access_log=values["access_log"].value,
        wait=values["wait"].value,
        limits=HostLimits(**under("limits", values, HostLimits)),
        fronts=values["fronts"].value,
        grpc_port=values["grpc_port"].value,
        admin=AdminSettings(**under("admin", values, AdminSettings)),
        keys=keys,
        tls=Tls(certificate, key) if certificate and key else None,
        grace=values["grace"].value,
        store=StoreSettings(values["store.path"].value, values["store.quota"].value),
        desired=values["store.desired"].value,
        registry=_registry(values),
        worker_user=values["worker_user"].value,
        allowed_hosts=values["allowed_hosts"].value,
        sources={**sources, "address_host": values["host"].source},
    )
