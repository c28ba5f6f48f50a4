"""A folder that MLflow saved, as its loaders read it: paths, attributes and configuration."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from polyhost.data import signature
from polyhost.data.signature import Signature
from polyhost.errors import LoadError
from polyhost.predictor import ModelSpec

PYFUNC = "python_function"
_CONFIG = "SERVING_MODEL_CONFIG"
_MODEL_PATH = "__pyfunc_model_path__"
_PICKLE = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"


@dataclass(frozen=True)
class SavedModel:
    """What the ``MLmodel`` file says of a folder. ``flavor`` is the one to load."""

    folder: Path
    flavor: str
    flavors: Mapping[str, Any]
    signature: Optional[Signature]
    option: Mapping[str, Any]

    @classmethod
    def of(cls, spec: ModelSpec) -> SavedModel:
        option = spec.options["mlmodel"]
        found = signature.parse(option["signature"], option["from_hints"])
        return cls(spec.code_dir, option["flavor"], option["flavors"], found, option)

    def attributes(self, flavor: str) -> Mapping[str, Any]:
        """The attributes of a flavor; empty where the file has none."""
        return self.flavors.get(flavor) or {}

    @property
    def pyfunc(self) -> Mapping[str, Any]:
        """The attributes of ``python_function``."""
        return self.attributes(PYFUNC)

    def file(self, *names: Optional[str]) -> Path:
        """The first of these files, relative to the folder, that is there; LoadError if none is,
        or one leads out of the folder."""
        root = os.path.realpath(self.folder)
        given = [name for name in names if name]
        for name in given:
            real = os.path.realpath(self.folder / name)
            if os.path.commonpath((real, root)) != root:
                raise LoadError(
                    f"the MLmodel file of {self.folder} names {name!r}, which leads out of the "
                    "folder.",
                    language="python",
                )
            if os.path.exists(real):
                return self.folder / name
        raise LoadError(
            f"a file of the model in {self.folder} is missing: expected one of "
            f"{', '.join(map(repr, given)) or 'those that MLmodel names'}; found "
            f"{', '.join(sorted(os.listdir(self.folder))[:50])}.",
            language="python",
        )

    def config(self) -> Dict[str, Any]:
        """The model's configuration: its own, with what ``SERVING_MODEL_CONFIG`` replaces of it."""
        own = self.pyfunc.get("config")
        if isinstance(own, str):
            own = _read_config(self.file(own))
        found = dict(own or {})
        given = json.loads(os.environ.get(_CONFIG) or "{}")
        return {**found, **{key: value for key, value in given.items() if key in found}}

    def add_code(self) -> None:
        """Put the model's own code first on the search path, for as long as the process lives."""
        code = self.pyfunc.get("code") or self.attributes(self.flavor).get("code")
        if code:
            path = str(self.file(code).resolve())
            if path not in sys.path:
                sys.path.insert(0, path)
        os.environ[_MODEL_PATH] = str(self.folder.resolve())

    def check_pickle(self) -> None:
        """LoadError where the operator allows no pickle."""
        if os.environ.get(_PICKLE, "true").strip().lower() in ("false", "0"):
            raise LoadError(
                f"the model in {self.folder} is a pickle, and {_PICKLE} is false: save it in "
                "another format, or allow it.",
                language="python",
            )


def _read_config(path: Path) -> Any:
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))
