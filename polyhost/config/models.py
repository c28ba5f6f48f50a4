"""From a model's settled values to a :class:`~polyhost.settings.ModelConfig`."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyhost.config.reading import Values
from polyhost.config.schema import MODEL, Section
from polyhost.settings import (
    OWN_ENVIRONMENTS,
    Batching,
    Limits,
    ModelConfig,
    Setting,
    Source,
    StoreSettings,
    TargetSettings,
)
from polyhost.store.sources import is_address, is_archive

if TYPE_CHECKING:
    from polyhost.predictor import ModelSpec
    from polyhost.store import Store


class Versions:
    """Where the folders of models come from: the path itself, or the store, opened when needed."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self.store: Store | None = None

    def folder(self, name: str, values: Values) -> Path:
        """The code dir of a model's source; of an archive or an address, that of its version.

        What a registry calls the version is noted in the values, where nothing else was given.
        """
        source: str = values["path"].value
        if not is_address(source) and not (os.path.isfile(source) and is_archive(source)):
            return Path(source)
        if self.store is None:
            from polyhost.store.store import Store, default_store

            self.store = Store(self._settings.path or default_store(), self._settings.quota)
        version = self.store.add(source, name)
        if version.label and not values["version"].given:
            values["version"] = Setting(version.label, Source.REGISTRY, Source.REGISTRY.value)
        return version.path


def build_model(name: str, values: Values, folder: Path, *, confined: bool = False) -> ModelConfig:
    """A model whose folder was looked into; CodeDirError or SettingsError when that fails.

    ``confined``: its metadata may name files of that folder only.
    """
    spec = _spec(folder, values, confined)
    _note_target(values, spec)
    env = values["env"].value
    if env in OWN_ENVIRONMENTS and spec.language != "python" and "mlmodel" in spec.options:
        env = None  # as with MLflow: it is Python's packages that the files list
    return ModelConfig(
        name=name,
        spec=spec,
        python=None if env in OWN_ENVIRONMENTS else env,
        workers=values["replicas"].value,
        limits=Limits(**under("limits", values, Limits)),
        batching=Batching(**under("batching", values, Batching)),
        version=values["version"].value,
        spares=values["spares"].value,
        env=env,
        environment=entries("environment", values),
        devices=values["devices"].value,
        swap=values["swap"].value,
        lazy=values["lazy"].value,
        digests=entries("digests", values),
    )


def under(section: str, values: Values, kind: type) -> dict[str, Any]:
    """The values of a section whose settings are called like the fields of a dataclass."""
    return {field.name: values[f"{section}.{field.name}"].value for field in fields(kind)}


def entries(name: str, values: Values) -> dict[str, str]:
    """The entries of a map."""
    start = len(name) + 1
    return {k[start:]: setting.value for k, setting in values.items() if k.startswith(f"{name}.")}


def _spec(folder: Path, values: Values, confined: bool) -> ModelSpec:
    from polyhost.code_dir.spec import spec_of

    options: dict[str, Any] = {"strict_rows": True, "batching": values["batching.mode"].value}
    if values["unknown_levels"].value is not None:
        options["unknown_levels"] = values["unknown_levels"].value
    if values["extra_outputs"].value:
        options["extra_outputs"] = True
    if values["literal_nan"].value:
        options["literal_nan"] = True
    pinned = entries("digests", values)
    if pinned:
        options["digests"] = pinned
    target = _target_settings(values)
    language = values["language"].value
    return spec_of(
        folder, target, language=language, options=options, infer=True, confined=confined
    )


def _target_settings(values: Values) -> TargetSettings:
    return TargetSettings(
        type=_spelled(values["target.type"], values["target.type"].value),
        binary_labels=_binary_labels(values),
        class_labels=_class_labels(values),
        name=values["target.name"],
    )


def _binary_labels(values: Values) -> Setting[tuple[str, ...]]:
    positive = values["target.positive_class_label"]
    negative = values["target.negative_class_label"]
    if positive.value is None or negative.value is None:
        return Setting(())
    return _spelled(positive, (positive.value, negative.value))


def _class_labels(values: Values) -> Setting[tuple[str, ...]]:
    file = values["target.class_labels_file"]
    if file.value is None:
        return values["target.class_labels"]
    from polyhost.code_dir.metadata import read_labels

    return _spelled(file, read_labels(file.value))


def _spelled(setting: Setting[Any], value: Any) -> Setting[Any]:
    return Setting(value, setting.source, setting.spelling)


def _note_target(values: Values, spec: ModelSpec) -> None:
    """Note what the folder itself says, where nothing else was given."""
    target = spec.target
    noted: dict[str, Any] = {"type": target.type.value, "name": target.name}
    if target.positive is not None:
        noted["positive_class_label"] = target.positive
        noted["negative_class_label"] = target.negative
    else:
        noted["class_labels"] = target.class_labels or ()
    section = MODEL.get("target")
    assert isinstance(section, Section)
    for name, value in noted.items():
        if value and not values[f"target.{name}"].given:
            values[f"target.{name}"] = Setting(value, Source.METADATA, Source.METADATA.value)
