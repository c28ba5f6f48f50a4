"""From a code dir, what the operator said and the metadata to the spec that a worker loads.

The first sentence of each error is DRUM's, for whoever searches its output.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Optional, Tuple, TypeVar

from polyhost.code_dir import metadata as metadata_file
from polyhost.code_dir import mlmodel
from polyhost.code_dir.inspect import CodeDir, inspect
from polyhost.code_dir.metadata import Metadata
from polyhost.code_dir.training_code import is_untrained
from polyhost.data.target import Target, TargetType
from polyhost.errors import SettingsError
from polyhost.predictor import INFER_TARGET, ModelSpec
from polyhost.settings import Setting, Source, TargetSettings, agree

T = TypeVar("T")


def build_spec(
    code_dir: CodeDir,
    target: TargetSettings,
    *,
    options: Optional[Mapping[str, Any]] = None,
    infer: bool = False,
    confined: bool = False,
) -> ModelSpec:
    """What a worker needs to load this code dir. ``options["metadata"]`` is the metadata file.

    ``infer``: a target type, or labels, that nobody gave are left for the artifact to say
    (:mod:`polyhost.pipeline.infer_target`). ``confined``: the metadata may name files of the code
    dir only.
    """
    metadata = metadata_file.read(code_dir.path, confined=confined)
    if code_dir.mlmodel is not None:
        options = {**(options or {}), mlmodel.OPTION: code_dir.mlmodel.option()}
    infer = infer and _is_inferable(code_dir)
    missing = _missing(target, metadata) if infer else None
    if code_dir.mlmodel is not None and _says_nothing(target, metadata):
        resolved = Target(TargetType.ANY)
    elif missing is not None:
        options = {**(options or {}), INFER_TARGET: missing}
        resolved = Target(TargetType.REGRESSION, (), metadata.target_name if metadata else None)
    else:
        resolved = resolve_target(target, metadata)
    return ModelSpec(
        code_dir=code_dir.path,
        language=code_dir.language,
        target=resolved,
        custom_file=code_dir.custom_file,
        artifacts=code_dir.artifacts,
        options={
            "metadata": None if metadata is None else dict(metadata.document),
            **(options or {}),
        },
    )


def _is_inferable(code_dir: CodeDir) -> bool:
    """Whether an artifact, or training that is to come, says what nobody gave."""
    found = (code_dir.path, code_dir.custom_file, code_dir.artifacts)
    return bool(code_dir.artifacts) or is_untrained(*found)


def spec_of(
    path: Path,
    target: TargetSettings,
    *,
    language: Optional[str] = None,
    options: Optional[Mapping[str, Any]] = None,
    infer: bool = False,
    confined: bool = False,
) -> ModelSpec:
    """:func:`build_spec` of the code dir at ``path``."""
    return build_spec(
        inspect(path, language), target, options=options, infer=infer, confined=confined
    )


def _says_nothing(given: TargetSettings, metadata: Optional[Metadata]) -> bool:
    """Whether neither the operator nor the metadata gave a target type, or labels."""
    said = (given.type, given.binary_labels, given.class_labels)
    return metadata is None and not any(setting.value for setting in said)


def _missing(given: TargetSettings, metadata: Optional[Metadata]) -> Optional[str]:
    """The target type whose labels are missing, empty when the type is too; None when all is
    there."""
    noted = metadata.target_type if metadata else None
    found = given.type.value or noted
    if found is None:
        said = given.binary_labels.value or given.class_labels.value
        return None if said else ""
    kind = TargetType.parse(found)
    if not kind.is_classification:
        return None
    if kind is TargetType.BINARY:
        said, written = given.binary_labels.value, metadata.binary_labels() if metadata else ()
    else:
        said, written = given.class_labels.value, metadata.class_labels() if metadata else ()
    return None if said or written else found


def resolve_target(given: TargetSettings, metadata: Optional[Metadata]) -> Target:
    """Target type and labels: from the operator or the metadata; an error when they differ."""
    kind = _type(given, metadata)
    return Target(kind, _labels(kind, given, metadata), _name(kind, given, metadata))


def _type(given: TargetSettings, metadata: Optional[Metadata]) -> TargetType:
    noted: Setting[Optional[str]] = Setting(None)
    if metadata is not None:
        noted = Setting(metadata.target_type, Source.METADATA, "targetType in model-metadata.yaml")
    where = _where(given.type, "--target-type argument")
    conflict = f"Target type provided in {where} doesn't match target type from model config file"
    found = agree(given.type, noted, conflict).value
    if found is None:
        known = ", ".join(member.value for member in TargetType)
        raise SettingsError(
            "Target type is missing. It must be provided in --target-type argument, TARGET_TYPE "
            f"env var or model config file. Expected one of {known}; the model config file is "
            "model-metadata.yaml, the key targetType."
        )
    return TargetType.parse(found)


def _labels(
    kind: TargetType, given: TargetSettings, metadata: Optional[Metadata]
) -> Tuple[str, ...]:
    """Labels in request order. Those of types that have none are ignored, as DRUM does."""
    if kind is TargetType.BINARY:
        noted = metadata.binary_labels() if metadata else ()
        return _distinct(_agreed(kind, given.binary_labels, noted))
    if kind.is_classification:
        noted = metadata.class_labels() if metadata else ()
        said = given.class_labels
        if said.given and noted and set(said.value) == set(noted):
            return _distinct(said.value)  # the operator's order wins
        return _distinct(_agreed(kind, said, noted))
    return ()


def _agreed(
    kind: TargetType, said: Setting[Tuple[str, ...]], labels: Tuple[str, ...]
) -> Tuple[str, ...]:
    """The labels that were said or noted; SettingsError when there are none, or two sets."""
    if kind is TargetType.BINARY:
        what, flags = "Positive/negative class", "--positive-class-label/--negative-class-label"
    else:
        what, flags = "Class", "--class-labels/--class-labels-file"
    noted: Setting[Tuple[str, ...]] = Setting(())
    if labels:
        noted = Setting(labels, Source.METADATA, "labels in model-metadata.yaml")
    where = _where(said, "command arguments or environment variable")
    conflict = f"{what} labels provided with {where} don't match values from model config file"
    found = agree(said, noted, conflict).value
    if found:
        return found
    raise SettingsError(
        f"{what} labels are missing. They must be provided with either one: {flags} arguments, "
        f"environment variables, model config file. Target type {kind.value} needs them; the model "
        "config file is model-metadata.yaml, the key inferenceModel."
    )


def _where(said: Setting[T], otherwise: str) -> str:
    """Where a value was given, when that was a configuration file."""
    return said.spelling if said.source is Source.FILE else otherwise


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
