"""The desired state: which models a server should hold, in one small JSON file.

What was deployed over the admin API is written here, and made true again at the next start. The
file is replaced in one step. One that cannot be read, or that another program wrote, is reported
and never overwritten: the operator fixes it, or moves it away.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from polyhost.errors import SettingsError, StateError
from polyhost.files.replace import write_whole

FORMAT = 1
"""Version of the file's format; older ones stay readable, with a specimen each in the tests."""

KIND = "polyhost desired state"
MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class DesiredEntry:
    """One model that should be there.

    ``source``: what its version was made from. ``digest``: of the version in the store, or None
    for a folder that is served where it is. ``settings``: what was said beside that, as in the
    configuration file, by dotted name (``limits.deadline``); values are plain JSON.
    """

    name: str
    source: str
    version: str = "1"
    digest: Optional[str] = None
    replicas: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DesiredState:
    """All models that should be there, by name."""

    models: Mapping[str, DesiredEntry] = field(default_factory=dict)

    def having(self, model: DesiredEntry) -> DesiredState:
        """This state with a model added or replaced."""
        return DesiredState({**self.models, model.name: model})

    def lacking(self, name: str) -> DesiredState:
        """This state without a model."""
        return DesiredState({key: model for key, model in self.models.items() if key != name})


def read(path: Path) -> DesiredState:
    """The state in a file; an empty one when there is no file. StateError when another program wrote it."""
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return DesiredState()
    except OSError as error:
        raise _wrong(path, error.strerror or str(error)) from error
    return _decode(path, data)


def check(path: Path) -> None:
    """StateError when the file is not ours, or cannot be replaced; nothing is changed."""
    read(path)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StateError(
            f"cannot write desired state {path}: its folder is missing, or closed to this user. "
            "Make it, or give another place as store.desired.",
            path=str(path),
        )


def write(path: Path, state: DesiredState) -> None:
    """Replace the file in one step. StateError when what is there now is not ours to replace."""
    read(path)
    try:
        write_whole(path, encode(state), mode=0o600)
    except OSError as error:
        raise StateError(
            f"cannot write desired state {path}: {error.strerror or error}. The file is as it was. "
            "Look at the space left and the permissions there.",
            path=str(path),
        ) from error


def encode(state: DesiredState) -> bytes:
    """The bytes of the file: equal states have equal bytes."""
    models = []
    for name in sorted(state.models):
        model = asdict(state.models[name])
        model["settings"] = dict(model["settings"])
        models.append(model)
    document = {"kind": KIND, "format": FORMAT, "models": models}
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def _decode(path: Path, data: bytes) -> DesiredState:
    document = _document(path, data)
    models: Dict[str, DesiredEntry] = {}
    found = document.get("models")
    if not isinstance(found, list):
        raise _wrong(path, "it has no list of models")
    for number, entry in enumerate(found, 1):
        model = _model(path, number, entry)
        if model.name in models:
            raise _wrong(path, f"model {model.name!r} is there twice")
        models[model.name] = model
    return DesiredState(models)


def _document(path: Path, data: bytes) -> Dict[str, Any]:
    if len(data) > MOST_BYTES:
        raise _wrong(path, f"it is larger than {MOST_BYTES} bytes")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        what = "it is empty" if not data else f"it is damaged or cut short ({error})"
        raise _wrong(path, what) from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise _wrong(path, f"it is another program's: expected kind {KIND!r}")
    if document.get("format") != FORMAT:
        raise _wrong(
            path,
            f"its format is {document.get('format')!r}: expected {FORMAT}. A newer polyhost may "
            "have written it",
        )
    return document


_FIELDS: Dict[str, Tuple[type, ...]] = {
    "name": (str,),
    "source": (str,),
    "version": (str,),
    "digest": (str, type(None)),
    "replicas": (int,),
    "settings": (dict,),
}


def _model(path: Path, number: int, entry: Any) -> DesiredEntry:
    if not isinstance(entry, dict):
        raise _wrong(path, f"model {number} is not an object")
    if set(entry) != set(_FIELDS):
        odd = ", ".join(sorted(set(entry) ^ set(_FIELDS)))
        raise _wrong(path, f"model {number} lacks these fields, or has them too many: {odd}")
    for name, types in _FIELDS.items():
        if not isinstance(entry[name], types) or isinstance(entry[name], bool):
            raise _wrong(path, f"{name} of model {number} is {entry[name]!r}")
    return DesiredEntry(**entry)


def _wrong(path: Path, why: str) -> StateError:
    return StateError(
        f"cannot read desired state {path}: {why}. Fix the file, or move it away and deploy the "
        "models again.",
        path=str(path),
    )


def flat(settings: Mapping[str, Any], prefix: str = "") -> Dict[str, Any]:
    """``{"limits": {"deadline": 5}}`` → ``{"limits.deadline": 5}``; SettingsError for one that
    comes twice."""
    found: Dict[str, Any] = {}
    for key, value in settings.items():
        below = flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {}
        for name, one in below.items() if below else [(f"{prefix}{key}", value)]:
            if name in found:
                raise SettingsError(f"settings: {name} comes twice. Give it once.")
            found[name] = one
    return found
