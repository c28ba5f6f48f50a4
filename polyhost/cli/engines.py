"""Container engines: whichever of docker, podman, nerdctl and buildah works here."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import ClassVar

from polyhost.errors import RuntimeUnavailable, SettingsError

TIMEOUT = 60.0
"""Seconds that an engine may take to say something of itself or of an image."""


@dataclass(frozen=True)
class Container:
    """What to run: ``mounts`` are pairs of paths here and inside, ``port`` is HOST:PORT or PORT."""

    image: str
    command: tuple[str, ...]
    mounts: tuple[tuple[Path, str], ...] = ()
    port: str | None = None
    memory: str | None = None
    user: str | None = None
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ContainerEngine:
    """An engine with docker's command line."""

    program: str
    build_flags: ClassVar[tuple[str, ...]] = ()

    def has(self, image: str) -> bool:
        """Whether an image of that name is here."""
        return _quietly(self.program, "image", "inspect", image).returncode == 0

    def build(
        self,
        context: Path,
        tag: str,
        *,
        arguments: Mapping[str, str] = MappingProxyType({}),
        platform: str | None = None,
    ) -> str:
        """Build a folder with a Dockerfile; the image's id. What the engine prints is shown.

        ``arguments``: values of the Dockerfile's ``ARG``. ``platform``: such as ``linux/arm64``.
        """
        with tempfile.TemporaryDirectory(prefix="polyhost-") as folder:
            noted = Path(folder, "id")
            command = [self.program, "build", *self.build_flags, "--iidfile", str(noted), "-t", tag]
            command += [f"--build-arg={name}={value}" for name, value in arguments.items()]
            command += [*(["--platform", platform] if platform else []), str(context)]
            code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
            if code:
                raise SettingsError(
                    f"{self.program} could not build {context} (status {code}): its reason is above."
                )
            return noted.read_text().strip() if noted.exists() else ""

    def version(self, image: str) -> str:
        """What the command inside an image says of itself: a name and a version."""
        script = "polyhost --version 2>/dev/null || drum --version"
        words = (self.program, "run", "--rm", "--entrypoint", "", image, "sh", "-c", script)
        return _quietly(*words).stdout.strip()

    def run(self, container: Container) -> int:
        """Run to the end; the exit code of the command inside."""
        words = [self.program, "run", "--rm", "--init", "--interactive", "--entrypoint", ""]
        if container.memory:
            words += ["--memory", container.memory, "--memory-swap", container.memory]
        if container.port:
            words += ["-p", container.port]
        return _forwarding([*words, *_common(container), container.image, *container.command])


class Buildah(ContainerEngine):
    """buildah, which makes a container first and runs in the machine's own network.

    Docker's format keeps the health check; layers that are there already are taken again.
    """

    build_flags = ("--format", "docker", "--layers")

    def __init__(self, program: str) -> None:
        super().__init__(program)
        # The others need crun or runc, and neither starts everywhere (cgroups of both versions).
        os.environ.setdefault("BUILDAH_ISOLATION", "chroot")

    def has(self, image: str) -> bool:
        """Whether an image of that name is here."""
        return _quietly(self.program, "inspect", "--type", "image", image).returncode == 0

    def version(self, image: str) -> str:
        """What the command inside an image says of itself: a name and a version."""
        name = self._make(Container(image, ()))
        try:
            script = "polyhost --version 2>/dev/null || drum --version"
            return _quietly(self.program, "run", name, "--", "sh", "-c", script).stdout.strip()
        finally:
            _quietly(self.program, "rm", name)

    def run(self, container: Container) -> int:
        """Run to the end; the exit code of the command inside."""
        name = self._make(container)
        try:
            words = [self.program, "run", "--network", "host", *_common(container)]
            return _forwarding([*words, name, "--", *container.command], _inside)
        finally:
            _quietly(self.program, "rm", name)

    def _make(self, container: Container) -> str:
        limits = ["--memory", container.memory] if container.memory else []
        made = _quietly(self.program, "from", "--pull-never", *limits, container.image)
        if made.returncode:
            raise SettingsError(
                f"buildah cannot make a container of {container.image}: {made.stderr.strip()}."
            )
        return made.stdout.split()[-1]


def find() -> ContainerEngine:
    """The first engine that works; RuntimeUnavailable with what each one says."""
    known = {
        "docker": ContainerEngine,
        "podman": ContainerEngine,
        "nerdctl": ContainerEngine,
        "buildah": Buildah,
    }
    here = [name for name in known if shutil.which(name)]
    reasons = []
    for name in here:
        said = _quietly(name, "version")
        if len(here) == 1 or said.returncode == 0:
            return known[name](name)
        reasons.append(f"{name}: {(said.stderr.strip().splitlines() or ['no reason'])[-1]}")
    raise RuntimeUnavailable(
        f"--docker needs a container engine: expected one of {', '.join(known)}; found "
        f"{'; '.join(reasons) or 'none'}. Install one, start it, or run without --docker."
    )


def _common(container: Container) -> list[str]:
    words: list[str] = []
    if container.user:
        words += ["--user", container.user]
    for name, value in container.environment:
        words += ["--env", f"{name}={value}"]
    for here, inside in container.mounts:
        words += ["-v", f"{here}:{inside}"]
    return words


def _quietly(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {TIMEOUT:g} s")


def _inside(process: int) -> int:
    """The main process of the container that a buildah runs, which gives no signal on to it."""
    import psutil

    for child in psutil.Process(process).children(recursive=True):
        with contextlib.suppress(psutil.Error, IndexError):
            if not child.cmdline()[0].startswith("buildah"):  # nor one of its own helpers
                return int(child.pid)
    return process


def _forwarding(command: Sequence[str], receiver: Callable[[int], int] = int) -> int:
    """Run a command, hand the signals that we get to ``receiver`` of it, and return its exit code."""
    process = subprocess.Popen(command)

    def forward(number: int, _frame: FrameType | None) -> None:
        if process.poll() is None:
            os.kill(receiver(process.pid), number)

    previous = {
        number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        code = process.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code
