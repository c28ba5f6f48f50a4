"""Drop-in images that were built before: ``make test-images``, or with POLYHOST_IMAGES=NAME,NAME.

Without that variable nothing here is collected: an image takes minutes to build.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.drop_in import BUILT, Containers, Example, containers, make

from polyhost.cli.engines import find

collect_ignore_glob = [] if BUILT else ["test_*.py"]


@pytest.fixture(scope="session")
def engine(tmp_path_factory) -> Containers:
    """Starts containers of the images."""
    return containers(find(), tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="session")
def made(engine, tmp_path_factory) -> Callable[[Example, str], Path]:
    """Makes an example once: its folder with ``model/``, ``input.csv`` and ``expected.csv``."""
    folders: dict[tuple[str, str], Path] = {}

    def folder_of(example: Example, image: str) -> Path:
        key = (example.file, image if example.program else "")
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp(Path(example.file).stem)
            make(example, image, engine, folders[key])
        return folders[key]

    return folder_of
