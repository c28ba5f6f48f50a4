"""Drop-in images that were built before: ``make test-images``, or with POLYHOST_IMAGES=NAME,NAME.

Without that variable nothing here is collected: an image takes minutes to build.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.containers import Containers, Wanted, containers
from support.drop_in import BUILT

from polyhost.cli.engines import find

MODELS = Path(__file__).resolve().parents[1] / "models" / "builtin"
collect_ignore_glob = [] if BUILT else ["test_*.py"]


@pytest.fixture(scope="session")
def engine(tmp_path_factory) -> Containers:
    """Starts containers of the images."""
    return containers(find(), tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="session")
def examples(engine, tmp_path_factory):
    """Makes an example model once: its folder with ``model/``, ``input.csv`` and ``expected.csv``."""
    made: dict[tuple[str, str], Path] = {}

    def make(language: str, scenario: str, image: str) -> Path:
        key = (language, scenario)
        if key not in made:
            made[key] = tmp_path_factory.mktemp(language)
            MAKERS[language](engine, made[key], scenario, image)
        return made[key]

    return make


def _make_here(language: str):
    def make(engine: Containers, folder: Path, scenario: str, image: str) -> None:
        command = [sys.executable, MODELS / language / "make.py", scenario, folder]
        subprocess.run(command, check=True, timeout=280)

    return make


def _make_inside(program: str, file: str):
    """A pickle and an R object may not load with other versions than they were made with."""

    def make(engine: Containers, folder: Path, scenario: str, image: str) -> None:
        folder.chmod(0o777)
        source = MODELS / Path(file).parent
        wanted = Wanted(
            image,
            ("/make/" + Path(file).name, scenario, "/made"),
            mounts=((source, "/make"),),
            writable=((folder, "/made"),),
            entrypoint=(program,),
            user="0:0",
            port=0,
        )
        with engine.start(wanted) as running:
            assert running.process.wait(280) == 0, running.printed

    return make


MAKERS = {
    "python": _make_inside("python3", "python/make.py"),
    "r": _make_inside("Rscript", "r/make.R"),
    "java": _make_here("java"),
    "julia": _make_here("julia"),
}
