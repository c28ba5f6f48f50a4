"""Hatch build hook: puts the native halves into the wheel, under ``polyhost/_runtimes``.

The sdist keeps them where the checkout has them, the built jar included, so that a wheel can be
made from it without Maven. An editable install gets nothing: there the code finds ``runtimes/``.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# What each language's package needs at run time; its tests stay behind.
_NEEDED = {
    "java/target": ("polyhost-runtime.jar", "lib"),
    "r": ("DESCRIPTION", "NAMESPACE", "R", "inst"),
    "julia": ("Project.toml", "Manifest.toml", "src"),
}


class NativeHalves(BuildHookInterface[Any]):
    """Finds the jar, or has Maven make it, and lists it with the R and Julia sources."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fill ``force_include``: file or folder of the checkout, name in the archive."""
        if version == "editable":
            return
        runtimes = Path(self.root) / "runtimes"
        _build_jar(runtimes / "java")
        inside = "runtimes" if self.target_name == "sdist" else "polyhost/_runtimes"
        for folder, names in _NEEDED.items():
            target = folder if self.target_name == "sdist" else folder.split("/")[0]
            for name in names:
                if (runtimes / folder / name).exists():
                    source = str(runtimes / folder / name)
                    build_data["force_include"][source] = f"{inside}/{target}/{name}"


def _build_jar(project: Path) -> None:
    if (project / "target" / "polyhost-runtime.jar").exists() or not (project / "pom.xml").exists():
        return
    maven = shutil.which("mvn")
    if maven is None:
        raise RuntimeError(
            "the wheel carries a jar which is not built here: expected "
            f"{project}/target/polyhost-runtime.jar, and there is no mvn to build it. "
            "Install a JDK and Maven, or build where `make setup` has run."
        )
    subprocess.run([maven, "-B", "-ntp", "-q", "-DskipTests", "package"], cwd=project, check=True)
