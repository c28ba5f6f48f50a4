"""From a code dir, what the operator said and the metadata to the spec that a worker loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

from polyhost import metadata as metadata_file
from polyhost.code_dir import CodeDir, inspect
from polyhost.errors import SettingsError
from polyhost.metadata import Metadata
from polyhost.predictor import ModelSpec
from polyhost.settings import Setting, Source, TargetSettings, agree
from polyhost.target import Target, TargetType


def build_spec(
    code_dir: CodeDir,
    target: TargetSettings,
    *,
    options: Optional[Mapping[str, Any]] = None,
) -> ModelSpec:
    """What a worker needs to load this code dir. ``options["metadata"]`` is the metadata file."""
    metadata = metadata_file.read(code_dir.path)
    return ModelSpec(
        code_dir=code_dir.path,
        language=code_dir.language,
        target=resolve_target(target, metadata),
        custom_file=code_dir.custom_file,
        artifacts=code_dir.artifacts,
        options={
            "metadata": None if metadata is None else dict(metadata.document),
            **(options or {}),
        },
    )


def spec_of(
    path: Path,
    target: TargetSettings,
    *,
    language: Optional[str] = None,
    options: Optional[Mapping[str, Any]] = None,
) -> ModelSpec:
    """:func:`build_spec` of the code dir at ``path``."""
    return build_spec(inspect(path, language), target, options=options)


def resolve_target(given: TargetSettings, metadata: Optional[Metadata]) -> Target:
    """Target type and labels: from the operator or the metadata; an error when they differ."""
    kind = _type(given, metadata)
    return Target(kind, _labels(kind, given, metadata), _name(kind, given, metadata))


def _type(given: TargetSettings, metadata: Optional[Metadata]) -> TargetType:
    noted: Setting[Optional[str]] = Setting(None)
    if metadata is not None:
        noted = Setting(metadata.target_type, Source.METADATA, "targetType in model-metadata.yaml")
    found = agree(given.type, noted, "target type").value
    if found is None:
        known = ", ".join(member.value for member in TargetType)
        raise SettingsError(
            f"Target type is missing: expected one of {known}. "
            "Give --target-type, or targetType in model-metadata.yaml."
        )
    return TargetType.parse(found)


def _labels(
    kind: TargetType, given: TargetSettings, metadata: Optional[Metadata]
) -> Tuple[str, ...]:
    """Labels in request order. Those of types that have none are ignored, as DRUM does."""
    if kind is TargetType.BINARY:
        noted = metadata.binary_labels() if metadata else ()
        said = given.binary_labels
        return _distinct(_found(kind, agree(said, _noted(noted), "class labels").value))
    if kind.is_classification:
        noted = metadata.class_labels() if metadata else ()
        said = given.class_labels
        if said.given and noted and set(said.value) == set(noted):
            return _distinct(said.value)  # the operator's order wins
        return _distinct(_found(kind, agree(said, _noted(noted), "class labels").value))
    return ()


def _noted(labels: Tuple[str, ...]) -> Setting[Tuple[str, ...]]:
    if not labels:
        return Setting(())
    return Setting(labels, Source.METADATA, "labels in model-metadata.yaml")


def _found(kind: TargetType, labels: Tuple[str, ...]) -> Tuple[str, ...]:
    if labels:
        return labels
    if kind is TargetType.BINARY:
        where = "--positive-class-label and --negative-class-label, or inferenceModel"
        what = "Positive/negative class labels"
    else:
        where = "--class-labels or --class-labels-file, or classLabels"
        what = "Class labels"
    raise SettingsError(
        f"{what} are missing: target type {kind.value} needs them. "
        f"Give {where} in model-metadata.yaml."
    )


def _distinct(labels: Tuple[str, ...]) -> Tuple[str, ...]:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise SettingsError(
            f"class labels must differ from each other; found more than once: {', '.join(twice)}."
        )
    return labels


def _name(kind: TargetType, given: TargetSettings, metadata: Optional[Metadata]) -> Optional[str]:
    noted = metadata.target_name if metadata else None
    found = given.name.value if given.name.given else noted or given.name.value
    if kind.is_text and not found:
        raise SettingsError(
            f"target type {kind.value} needs the name of its prediction column; found none. "
            "Set the environment variable TARGET_NAME, or targetName under inferenceModel in "
            "model-metadata.yaml."
        )
    return found or None
