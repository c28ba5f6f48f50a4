"""Target type and labels from the artifact, where nobody gave them.

A spec with the option ``INFER_TARGET`` is loaded twice: once to read what its artifact was trained
for, and once to serve it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Optional, Tuple

from polyhost.data.target import Target, TargetType
from polyhost.errors import SettingsError
from polyhost.pipeline import load_guest
from polyhost.predictor import INFER_TARGET, ArtifactTarget, ModelSpec, TargetGuest

logger = logging.getLogger(__name__)


def settled(spec: ModelSpec) -> ModelSpec:
    """The spec with the target that its artifact was trained for; SettingsError when the artifact
    does not say, or contradicts what was given."""
    given = str(spec.options[INFER_TARGET])
    guest = load_guest.open_guest(spec)
    try:
        hooks = guest.hooks
        load_guest.load_model(guest, spec)
        found = guest.artifact_target() if isinstance(guest, TargetGuest) else None
    finally:
        guest.close()
    if "score" in hooks:
        found = None  # what a hook answers is its own affair
    try:
        target = _target(spec, given, found)
    except SettingsError as error:
        load_guest.check_trained(spec, error)
        raise
    options = {key: value for key, value in spec.options.items() if key != INFER_TARGET}
    return replace(spec, target=target, options=options)


def _target(spec: ModelSpec, given: str, found: Optional[ArtifactTarget]) -> Target:
    if found is None:
        raise SettingsError(_missing(spec, given), code_dir=str(spec.code_dir))
    kind, labels = found
    wanted = TargetType.parse(given) if given else kind
    load_guest.check_type(spec, wanted, kind)
    if wanted.is_classification and not labels:
        raise SettingsError(_missing(spec, wanted.value), code_dir=str(spec.code_dir))
    if wanted is TargetType.BINARY:
        if len(labels) != 2:
            raise SettingsError(
                f"the artifact in {spec.code_dir} has {len(labels)} classes ({', '.join(labels)}): "
                "expected two for target type 'binary'. Give --target-type multiclass."
            )
        labels = (labels[1], labels[0])  # the positive class first; libraries have it last
    return Target(wanted, labels if wanted.is_classification else (), spec.target.name)


def _missing(spec: ModelSpec, given: str) -> str:
    known = ", ".join(member.value for member in TargetType)
    if given:
        return (
            f"class labels are missing for target type {given!r}: the artifact in {spec.code_dir} "
            "does not hold them. Give --class-labels (binary: --positive-class-label and "
            "--negative-class-label), or the key inferenceModel in model-metadata.yaml."
        )
    return (
        "Target type is missing. It must be provided in --target-type argument, TARGET_TYPE env "
        f"var or model config file, since the artifact in {spec.code_dir} does not say it. "
        f"Expected one of {known}; the model config file is model-metadata.yaml, the key targetType."
    )


def target_of_labels(labels: Tuple[str, ...], kind: Optional[str] = None) -> ArtifactTarget:
    """What a model with these labels was trained for; one without is a regression, unless
    ``kind`` says otherwise."""
    if kind is not None:
        return TargetType.parse(kind), labels
    if not labels:
        logger.warning(
            "the artifact holds no class labels and does not say what it was trained for: taken for "
            "a regression. Give --target-type if it is something else."
        )
        return TargetType.REGRESSION, ()
    return TargetType.BINARY if len(labels) == 2 else TargetType.MULTICLASS, labels
