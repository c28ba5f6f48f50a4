"""A folder that MLflow saved: its ``MLmodel`` file, and the flavor that serves it.

MLflow need not be installed. Every version's file is read: unknown keys are kept, and paths are
those that the file names.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from polyhost.bridges import Bridge, all_bridges
from polyhost.data import signature
from polyhost.errors import CodeDirError

FILE_NAME = "MLmodel"
PYFUNC = "python_function"
OPTION = "mlmodel"
"""The option of a spec whose folder is such a model; its value is :meth:`MLmodel.option`."""
MOST_BYTES = 16 << 20
_EXTERNAL = "mlflow.model.isExternal"
_GONE: Mapping[str, str] = {
    "gluon": "MXNet, its library, is no longer developed; the last MLflow with it is 2.18",
    "fastai": "the last MLflow with it is 2.22",
    "mleap": "the last MLflow with it is 2.22",
    "diviner": "the last MLflow with it is 2.22",
}


@dataclass(frozen=True)
class MLmodel:
    """What the file says. ``flavor`` is the one that is served, ``bridge`` the language that does."""

    path: Path
    document: Mapping[str, Any]
    flavor: str
    language: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def option(self) -> Dict[str, Any]:
        """Plain data for the worker: the flavor, and what of the file it needs."""
        document = self.document
        return {
            "flavor": self.flavor,
            "attributes": dict(self.attributes),
            "flavors": dict(document["flavors"]),
            "signature": document.get("signature"),
            "from_hints": bool(document.get("is_signature_from_type_hint")),
            "example": document.get("saved_input_example_info"),
            "mlflow_version": document.get("mlflow_version"),
            "run_id": document.get("run_id"),
            "model_id": document.get("model_id"),
            "metadata": document.get("metadata"),
        }


def is_model(folder: Path) -> bool:
    """Whether a folder is one that MLflow saved."""
    return (folder / FILE_NAME).is_file()


def read(folder: Path, language: Optional[str] = None) -> MLmodel:
    """The model of a folder; CodeDirError when its file is wrong, or no flavor of it is served.

    ``language``: only flavors of this language are considered.
    """
    path = folder / FILE_NAME
    document = _document(path)
    flavors = document.get("flavors")
    if not isinstance(flavors, Mapping) or not flavors:
        raise _wrong(path, "it has no flavors: expected a mapping of at least one")
    metadata = document.get("metadata")
    if isinstance(metadata, Mapping) and metadata.get(_EXTERNAL) is True:
        raise _wrong(
            path, f"its files are elsewhere (metadata {_EXTERNAL}): log a model with files"
        )
    signature.parse(document.get("signature"))  # so that a fault is found before any worker starts
    flavor, bridge = _served(path, flavors, language)
    attributes = flavors.get(flavor)
    return MLmodel(
        path,
        document,
        flavor,
        bridge.language,
        attributes if isinstance(attributes, Mapping) else {},
    )


def _served(path: Path, flavors: Mapping[str, Any], language: Optional[str]) -> Tuple[str, Bridge]:
    bridges = [b for b in all_bridges().values() if language in (None, b.language)]
    for bridge in bridges:
        for name in bridge.all_flavors:
            if name in flavors:
                return name, bridge
    known = [name for bridge in all_bridges().values() for name in bridge.all_flavors]
    gone = [f"{name}: {_GONE[name]}" for name in flavors if name in _GONE]
    raise _wrong(
        path,
        f"none of its flavors can be served: expected one of {', '.join(known)}; found "
        f"{', '.join(map(str, flavors))}{' (' + '; '.join(gone) + ')' if gone else ''}",
        "Save it with one of them, or install the package that adds its flavor.",
    )


def _document(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"expected at most {MOST_BYTES} bytes")
        document = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise _wrong(path, f"it cannot be read: {error}") from error
    if not isinstance(document, Mapping):
        raise _wrong(path, f"expected a mapping; found {type(document).__name__}")
    found: Mapping[str, Any] = _plain(document)
    return found


def _plain(value: Any) -> Any:
    """Values that JSON has: a date that YAML made of a text becomes text again."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _wrong(path: Path, reason: str, advice: str = "") -> CodeDirError:
    text = f"{path} is no MLflow model that can be served: {reason}. {advice}".rstrip()
    return CodeDirError(text, code_dir=str(path.parent))
