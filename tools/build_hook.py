"""Hatch build hook: puts the native halves into the wheel, under ``polyhost/_runtimes``.

The sdist keeps them where the checkout has them, what was built included, so that a wheel can be
made from it without Maven. An editable install gets nothing: there the code finds ``runtimes/``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))

from language import Build
from languages import LANGUAGES


class NativeHalves(BuildHookInterface[Any]):
    """Finds what the languages build, or builds it, and lists it with their sources."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fill ``force_include``: file or folder of the checkout, name in the archive."""
        if version == "editable":
            return
        root = Path(self.root)
        for name, language in LANGUAGES.items():
            if language.build is not None:
                _build(root, language.build)
            for needed in language.wheel:
                source = root / "runtimes" / name / needed
                if source.exists():
                    inside = f"runtimes/{name}/{needed}"
                    if self.target_name != "sdist":
                        inside = f"polyhost/_runtimes/{name}/{source.name}"
                    build_data["force_include"][str(source)] = inside


def _build(root: Path, build: Build) -> None:
    if (root / build.made).exists() or not all((root / path).exists() for path in build.sources):
        return
    program = shutil.which(build.command[0])
    if program is None:
        raise RuntimeError(
            f"the wheel carries {build.made}, which is not built here, and there is no "
            f"{build.command[0]} to build it. Install it, or build where `make setup` has run."
        )
    subprocess.run([program, *build.command[1:]], cwd=root, check=True)
