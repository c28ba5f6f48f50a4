"""Addresses of models that only a tracking server can resolve: ``models:/``, ``runs:/``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from polyhost.errors import SourceError

MODELS, RUNS, ARTIFACTS = "models:", "runs:", "mlflow-artifacts:"
LATEST = "latest"
_EXPECTED = (
    "expected models:/NAME/VERSION, models:/NAME@ALIAS, models:/NAME/STAGE, models:/NAME/latest, "
    "models:/MODEL_ID or runs:/RUN_ID/PATH"
)


@dataclass(frozen=True)
class ModelUri:
    """A registered model by one of version, alias and stage (the newest where all are None)."""

    name: str
    version: str | None = None
    alias: str | None = None
    stage: str | None = None


@dataclass(frozen=True)
class LoggedModelUri:
    """A logged model (since MLflow 3) by its id."""

    id: str


@dataclass(frozen=True)
class RunUri:
    """An artifact of a run."""

    run: str
    path: str


def is_tracked(source: str) -> bool:
    """The source is one that a tracking server has to be asked for."""
    return source.startswith((MODELS, RUNS, ARTIFACTS))


def parse(source: str) -> ModelUri | LoggedModelUri | RunUri:
    """What a ``models:`` or ``runs:`` address names; SourceError for one of another form."""
    scheme, _, rest = source.partition(":")
    if rest.startswith("//"):
        raise SourceError(
            f"cannot read {source!r}: a server inside the address (SCHEME://SERVER/...) is not "
            f"supported. {_EXPECTED[0].upper()}{_EXPECTED[1:]}, and the server in "
            "MLFLOW_TRACKING_URI.",
            source=source,
        )
    parts = rest.strip("/").split("/") if rest.startswith("/") else []
    if scheme + ":" == RUNS and len(parts) >= 2 and all(parts):
        return RunUri(parts[0], "/".join(parts[1:]))
    if scheme + ":" == MODELS and 1 <= len(parts) <= 2 and all(part.strip() for part in parts):
        found = _model(*parts)
        if found is not None:
            return found
    raise SourceError(f"cannot read {source!r}: {_EXPECTED}.", source=source)


def _model(name: str, suffix: str | None = None) -> ModelUri | LoggedModelUri | None:
    if suffix is None:
        plain, at, alias = name.rpartition("@")
        if not at:
            return LoggedModelUri(name)
        return ModelUri(plain, alias=alias) if plain and alias else None
    if re.fullmatch(r"[0-9]+", suffix):
        return ModelUri(name, version=str(int(suffix)))
    if suffix.lower() == LATEST:
        return ModelUri(name)
    return ModelUri(name, stage=suffix)


def name_of(source: str) -> str:
    """What to call the model of an address when nobody named it."""
    if source.startswith(ARTIFACTS):
        last = source.rstrip("/").rpartition("/")[2]
    else:
        found = parse(source)
        if isinstance(found, ModelUri):
            last = found.name
        elif isinstance(found, LoggedModelUri):
            last = found.id
        else:
            last = found.path.rpartition("/")[2]
    return plain_name(last)


def plain_name(name: str) -> str:
    """A registered name as the name of a model here: letters, digits, ``_``, ``-`` and ``.``."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).lstrip("-.")[:128] or "model"
