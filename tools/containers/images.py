"""Drop-in images: built from their contexts, with polyhost's wheel of this checkout."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from languages import LANGUAGES

from containers import base
from containers.contexts import make_context, names, tag_of, version
from polyhost.cli.engines import Buildah, ContainerEngine, find
from polyhost.errors import PolyhostError

from shell import ROOT, STATE, StepFailed, say, step

HOSTS = {
    "pkg.julialang.org": ({"julia_mlj", "polyglot"}, {"JULIA_PACKAGES": "no"}),
    "download.pytorch.org": (
        {"python3_pytorch"},
        {"TORCH_INDEX": "", "LEFT_OUT": "^polyhost"},
    ),
}
"""What a build takes from elsewhere: by host, the environments, and the arguments to do without."""


def wheel() -> Path:
    """Build polyhost's wheel, with the native halves in it."""
    for language in LANGUAGES.values():
        if language.build is not None:
            language.prepare()
    folder = STATE / "wheel"
    for old in folder.glob("*.whl"):
        old.unlink()
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    step("building polyhost's wheel", command, log="wheel")
    return folder / f"polyhost-{version()}-py3-none-any.whl"


def build(wanted: list[str], base_image: str | None, arguments: list[str]) -> None:
    """Build images, one after another."""
    if unknown := set(wanted) - set(names()):
        raise StepFailed(f"no environment {', '.join(sorted(unknown))}: {', '.join(names())}")
    engine = find_engine()
    made = base_image or (base.make() if isinstance(engine, Buildah) else None)
    common = {"BASE": made} if made else {}
    given = dict(pair.split("=", 1) for pair in arguments)
    source = wheel()
    for name in wanted:
        say(f"building {tag_of(name)} with {engine.program}")
        with tempfile.TemporaryDirectory(prefix="polyhost-") as folder:
            context = Path(folder, name)
            make_context(name, source, context)
            try:
                engine.build(context, tag_of(name), arguments=common | _reachable(name) | given)
            except PolyhostError as error:
                raise StepFailed(error.message) from error


def test(wanted: list[str], base_image: str | None, arguments: list[str]) -> None:
    """Build images, then run the tests of each."""
    if isinstance(find_engine(), Buildah) and os.geteuid() != 0:
        raise StepFailed("with buildah alone images are tested as root: their files are mounted.")
    build(wanted, base_image, arguments)
    command = [sys.executable, "-m", "pytest", "-n", "0", "--durations=10", "tests/images"]
    environment = {**os.environ, "POLYHOST_IMAGES": ",".join(wanted)}
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        raise StepFailed("tests of the images failed")


def _reachable(name: str) -> dict[str, str]:
    """Build arguments that do without what this machine cannot reach."""
    found: dict[str, str] = {}
    for host, (needing, arguments) in HOSTS.items():
        if name in needing and not _answers(host):
            shown = " ".join(f"{key}={value}" for key, value in arguments.items())
            say(f"{host} cannot be reached: {name} is built with {shown}")
            found |= arguments
    return found


@cache
def _answers(host: str) -> bool:
    try:
        with socket.create_connection((host, 443), timeout=10):
            return True
    except OSError:
        return False


def find_engine() -> ContainerEngine:
    """The engine to build with; buildah is installed where there is none and apt can."""
    try:
        return find()
    except PolyhostError:
        base.install_tools()
    try:
        return find()
    except PolyhostError as error:
        raise StepFailed(error.message) from error
