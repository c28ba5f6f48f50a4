"""Which trained version a model answers with: one note a model in the store, read at the start.

A note holds as long as the model's own folder is as it was when the version was trained from it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Optional

from polyhost.code_dir.fingerprint import fingerprint
from polyhost.code_dir.inspect import inspect
from polyhost.data.target import Target
from polyhost.errors import StateError
from polyhost.files.replace import write_whole
from polyhost.predictor import INFER_TARGET
from polyhost.settings import ModelConfig

logger = logging.getLogger(__name__)

FOLDER = "trained"


@dataclass(frozen=True)
class Note:
    """``base``: what the model's own folder was, in short. ``target``: what the version predicts."""

    digest: str
    base: str
    target: Dict[str, Any]


class Notes:
    """The notes below a store's folder."""

    def __init__(self, store: Path) -> None:
        self._folder = store / FOLDER

    def read(self, name: str) -> Optional[Note]:
        """A model's note; None when it has none that can be read."""
        path = self._path(name)
        try:
            return Note(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            logger.warning("the note of a trained version, %s, cannot be read: %s", path, error)
            return None

    def prepare(self, name: str, note: Note) -> None:
        """Write a note that :meth:`commit` puts in place; StateError when there is no room for it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._next(name), json.dumps(vars(note)).encode("utf-8"))
        except OSError as error:
            raise StateError(
                f"cannot note the trained version of {name!r} in {self._folder}: "
                f"{error.strerror or error}. Free space there."
            ) from error

    def commit(self, name: str) -> None:
        """Have the prepared note hold from now on."""
        os.replace(self._next(name), self._path(name))

    def drop(self, name: str) -> None:
        """Forget the prepared note."""
        self._next(name).unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Forget the trained version."""
        self._path(name).unlink(missing_ok=True)

    def _next(self, name: str) -> Path:
        return self._folder / f"{name}.json.next"

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def base_of(config: ModelConfig) -> str:
    """What a model's own folder is now, in short."""
    return hashlib.sha256(repr(fingerprint(config)).encode("utf-8")).hexdigest()


def with_version(config: ModelConfig, folder: Path, digest: str, target: Target) -> ModelConfig:
    """The model with what training left in place of its own folder."""
    found = inspect(folder, config.spec.language)
    gone = (INFER_TARGET, "digests")
    spec = replace(
        config.spec,
        code_dir=found.path,
        custom_file=found.custom_file,
        artifacts=found.artifacts,
        target=target,
        options={key: value for key, value in config.spec.options.items() if key not in gone},
    )
    return replace(config, spec=spec, version=digest[:12], digests={})
