"""Where the native halves are: in the wheel beside this file, or in a checkout's ``runtimes``."""

from __future__ import annotations

from pathlib import Path
from typing import List

from polyhost.errors import RuntimeUnavailable

_PACKAGE = Path(__file__).resolve().parents[1]
_WHEEL = _PACKAGE / "_runtimes"
_CHECKOUT = _PACKAGE.parent / "runtimes"


def java_jars() -> List[Path]:
    """The class path of the Java half: ``polyhost-runtime.jar``, then those it needs beside it."""
    for folder in (_WHEEL / "java", _CHECKOUT / "java" / "target"):
        jar = folder / "polyhost-runtime.jar"
        if jar.exists():
            return [jar, *sorted((folder / "lib").glob("*.jar"))]
    project = _CHECKOUT / "java"
    raise RuntimeUnavailable(
        f"the Java half of polyhost is not built: expected {project}/target/polyhost-runtime.jar. "
        f"Build it with: mvn -f {project} -DskipTests package",
        language="java",
    )


def r_sources() -> Path:
    """The R package's folder: ``DESCRIPTION``, ``NAMESPACE`` and ``R/``."""
    return _folder("r")


def julia_project() -> Path:
    """The Julia package's folder: ``Project.toml`` and ``src/``."""
    return _folder("julia")


def _folder(language: str) -> Path:
    for root in (_WHEEL, _CHECKOUT):
        if (root / language).is_dir():
            return root / language
    raise RuntimeUnavailable(
        f"the {language} half of polyhost is missing: expected {_WHEEL / language} or "
        f"{_CHECKOUT / language}. The installation is incomplete: install polyhost again.",
        language=language,
    )
