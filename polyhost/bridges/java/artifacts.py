"""Which of a code dir's files is the model, and what is on its class path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, List, Optional, Sequence

from polyhost.bridges.java.jvm import java_class, java_path
from polyhost.predictor import ModelSpec

CLASS_PATH_VARIABLE = "DRUM_JAVA_CUSTOM_CLASS_PATH"
_LIBRARIES = "lib/*.jar"
_JAR, _PIPELINE = ".jar", ".mojo"


def choose(artifacts: Sequence[Path]) -> Optional[Path]:
    """The artifact to load; None where there is none, or no telling which.

    A pipeline (``.mojo``) wins. Else the first name decides, without case: a jar is scoring code,
    and all jars are loaded together; anything else is an H2O model, of which there must be one.
    """
    ordered = sorted(artifacts, key=lambda path: path.name.lower())
    found = [path for path in ordered if path.suffix.lower() == _PIPELINE]
    if not found and ordered and ordered[0].suffix.lower() == _JAR:
        return ordered[0]
    found = found or [path for path in ordered if path.suffix.lower() != _JAR]
    return found[0] if len(found) == 1 else None


def class_loader(spec: ModelSpec) -> Any:
    """A loader of the model's own: its jars, ``custom.jar``, ``lib/``, and what the variable
    names."""
    custom = (spec.custom_file,) if spec.custom_file else ()
    own = [spec.code_dir / path for path in (*custom, *spec.artifacts) if _is_jar(path)]
    entries = [*own, *sorted(spec.code_dir.glob(_LIBRARIES)), *named()]
    found = java_class("java.util.ArrayList")()
    for entry in entries:
        found.add(java_path(entry))
    return java_class("io.polyhost.load.ModelLoader")(found)


def named() -> List[Path]:
    """Entries of the class path that the variable holds; ``folder/*`` stands for its jars."""
    entries: List[Path] = []
    for entry in filter(None, os.environ.get(CLASS_PATH_VARIABLE, "").split(os.pathsep)):
        path = Path(entry).absolute()
        if path.name == "*":
            entries += sorted(jar for jar in path.parent.glob("*") if _is_jar(jar))
        else:
            entries.append(path)
    return entries


def _is_jar(path: Path) -> bool:
    return path.suffix.lower() == _JAR
