"""Where the jar of the Java half is: in the wheel, or built in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import List

from polyhost.bridges import native
from polyhost.errors import RuntimeUnavailable

JAR = "polyhost-runtime.jar"


def class_path() -> List[Path]:
    """``polyhost-runtime.jar``, then the jars that it needs beside it."""
    places = native.places("java")
    for folder in (place / inside for place in places for inside in ("", "target")):
        if (folder / JAR).exists():
            return [folder / JAR, *sorted((folder / "lib").glob("*.jar"))]
    project = places[-1]
    raise RuntimeUnavailable(
        f"the Java half of polyhost is not built: expected {project}/target/{JAR}. "
        f"Build it with: mvn -f {project} -DskipTests package",
        language="java",
    )
