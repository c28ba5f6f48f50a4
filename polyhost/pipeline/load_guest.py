"""How a guest gets its model: ``init``, then ``load_model`` or the built-in loader, then checks.

Everything that can be known at load fails here, not at the first request.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional

from polyhost.bridges import bridge_for
from polyhost.code_dir import pinned_files
from polyhost.code_dir.training_code import is_untrained
from polyhost.data.target import TargetType
from polyhost.errors import (
    ArtifactNotFound,
    CodeDirError,
    LoadError,
    MissingHook,
    ModelError,
    NotTrained,
    PolyhostError,
    SettingsError,
)
from polyhost.pipeline.marshal import match_labels
from polyhost.predictor import OPENAI_HOOKS, Guest, GuestInfo, ModelSpec

TALKS = ("chat", *OPENAI_HOOKS)
"""Hooks that answer where no prediction can be made."""


def open_guest(spec: ModelSpec) -> Guest:
    """Start the runtime and load the custom file; no hook has run yet.

    The option ``digests`` (SHA-256 by file) is checked first.
    """
    _check_target(spec)
    pinned_files.check(spec, spec.options.get("digests") or {})
    with as_load_error():
        return bridge_for(spec.language).open(spec)


def load(guest: Guest, spec: ModelSpec) -> GuestInfo:
    """Run ``init``, load the model, and check that hooks and model can do what is asked."""
    _check_hooks(guest, spec)
    load_model(guest, spec)
    with as_load_error():
        info = guest.describe()
    _check_predicts(guest, info, spec)
    if info.target_type is not None and "score" not in guest.hooks:
        check_type(spec, spec.target.type, TargetType.parse(info.target_type))
    _check_labels(guest, info, spec)
    return info


def load_model(guest: Guest, spec: ModelSpec) -> None:
    """Run ``init``, then ``load_model`` or the built-in loader; NotTrained where there is nothing to
    load yet, but something that trains."""
    try:
        with as_load_error():
            if "init" in guest.hooks:
                guest.run_init()
            _load_model(guest, spec)
    except CodeDirError as error:
        check_trained(spec, error)
        raise


def check_trained(spec: ModelSpec, error: PolyhostError) -> None:
    """NotTrained, for the reason that loading failed, where no model was trained yet."""
    if is_untrained(spec.code_dir, spec.custom_file, spec.artifacts):
        raise NotTrained(f"the model is not trained yet. {error.message}") from error


@contextmanager
def as_load_error() -> Iterator[None]:
    """Raise what guest code raises while it loads as a LoadError: the model author acts."""
    try:
        yield
    except ModelError as error:
        raise LoadError(error.message, **error.facts) from error


def _check_target(spec: ModelSpec) -> None:
    if spec.target.type.is_text and not spec.target.name:
        raise SettingsError(
            f"target type {spec.target.type.value!r} needs the name of its target: expected the "
            "environment variable TARGET_NAME to hold it; found nothing. Set TARGET_NAME."
        )


def _check_hooks(guest: Guest, spec: ModelSpec) -> None:
    """Check what the hooks alone show, before any model is loaded."""
    target = spec.target.type
    if target is TargetType.TRANSFORM and not guest.traits.transform_target:
        raise SettingsError(
            f"target type 'transform' is not supported in {guest.language}: "
            "expected a structured or unstructured target type."
        )
    if target is TargetType.UNSTRUCTURED and "score_unstructured" not in guest.hooks:
        raise _missing(guest, spec, "score_unstructured", "unstructured models answer with it")


def _load_model(guest: Guest, spec: ModelSpec) -> None:
    if "load_model" not in guest.hooks:
        guest.load_artifact(_the_artifact(guest, spec))
        return
    if guest.run_load_model():
        return
    if guest.traits.load_model_may_defer and spec.artifacts:
        guest.load_artifact(_the_artifact(guest, spec))
        return
    raise LoadError(
        "'load_model' hook failed to load model, None is returned (NULL, nothing, null) in "
        f"{_custom(spec)}: expected the loaded model. Return it from load_model.",
        language=guest.language,
        hook="load_model",
    )


def _the_artifact(guest: Guest, spec: ModelSpec) -> Optional[Path]:
    if len(spec.artifacts) > 1 and guest.traits.one_artifact:
        raise ArtifactNotFound.several(spec.code_dir, [path.name for path in spec.artifacts])
    if spec.artifacts:
        return spec.code_dir / spec.artifacts[0]
    if guest.traits.artifact_optional and _hooks_suffice(guest, spec):
        return None
    if spec.target.type is TargetType.TRANSFORM and "transform" in guest.hooks:
        return None
    bridge = bridge_for(spec.language)
    raise ArtifactNotFound.none(
        spec.code_dir, bridge.all_artifacts, _files(spec.code_dir), bridge.no_artifact
    )


def _hooks_suffice(guest: Guest, spec: ModelSpec) -> bool:
    hook = "score" if spec.target.type.is_structured else "score_unstructured"
    return hook in guest.hooks


def _files(code_dir: Path) -> Iterator[str]:
    return (path.name for path in code_dir.iterdir() if not path.name.startswith("."))


def _check_predicts(guest: Guest, info: GuestInfo, spec: ModelSpec) -> None:
    if info.predicts or spec.target.type is TargetType.UNSTRUCTURED:
        return
    if spec.target.type is TargetType.TRANSFORM:
        if "transform" not in guest.hooks:
            raise _missing(guest, spec, "transform", "the loaded model is no known transformer")
    elif not {"score", *TALKS} & guest.hooks:
        why = "no built-in predict knows the loaded model"
        raise _missing(guest, spec, "score", why, _NO_FRAMEWORK)


_NO_FRAMEWORK = (
    "Could not find any framework to handle loaded model and a score hook is not provided: "
)
"""As DRUM says it; scripts look for the sentence."""


def _missing(guest: Guest, spec: ModelSpec, hook: str, why: str, says: str = "") -> MissingHook:
    found = ", ".join(sorted(guest.hooks)) or "none"
    return MissingHook(
        f"{says}hook {hook!r} is missing in {_custom(spec)} ({guest.language}, target type "
        f"{spec.target.type.value!r}): expected it, since {why}; hooks found: {found}. "
        f"Define {hook}.",
        language=guest.language,
        hook=hook,
        found=sorted(guest.hooks),
    )


def _custom(spec: ModelSpec) -> str:
    return str(spec.custom_file) if spec.custom_file else f"{spec.code_dir} (no custom file)"


def check_type(spec: ModelSpec, wanted: TargetType, own: TargetType) -> None:
    """SettingsError when an artifact was trained for another kind of target than is asked for."""
    classes = {TargetType.BINARY, TargetType.MULTICLASS}
    if (wanted in classes) != (own in classes) and TargetType.REGRESSION in (wanted, own):
        raise SettingsError(
            f"target type {wanted.value!r} contradicts the artifact in {spec.code_dir}, which was "
            f"trained for {own.value!r}. Leave the target type out, or give {own.value!r}.",
            expected=own.value,
            found=wanted.value,
        )


def _check_labels(guest: Guest, info: GuestInfo, spec: ModelSpec) -> None:
    """The labels asked for against the model's own, where no hook can still rename them."""
    if not (info.labels and spec.target.type.is_classification) or "score" in guest.hooks:
        return
    if "post_process" in guest.hooks and guest.traits.post_process_sees == "raw":
        return
    if match_labels(info.labels, spec.target.labels) is None:
        raise SettingsError(
            f"Expected predictions to have columns {list(spec.target.labels)}, but encountered "
            f"{list(info.labels)}: these are the labels of the model in {spec.code_dir}. Give the "
            "labels that it was trained with.",
            expected=list(info.labels),
            found=list(spec.target.labels),
        )
