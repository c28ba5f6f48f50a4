"""Containers of drop-in images, run by whichever engine built them.

With docker, podman or nerdctl they run as anywhere. buildah runs no read-only container and gives no
signal on, so there a container is made of the same parts by hand: the image's files, a mount, a
network and where wanted a process namespace of its own, and the user, entry point and variables that
the image names. It needs root, as building with buildah does.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shlex
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from polyhost.cli.engines import Buildah, ContainerEngine

READY_WITHIN = 600.0
STOPS_WITHIN = 60.0
NOT_LOADED = 513
"""DRUM's status of a model that cannot be loaded; it stays so."""
NEW_NETWORK = 0x40000000
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
CONTAINER = """
set -e
mount --make-rprivate /
mount --bind {root} {root}
mount -t proc proc {root}/proc
mount -t tmpfs -o mode=755 tmpfs {root}/dev
for device in {devices}; do touch {root}/dev/$device; mount --bind /dev/$device {root}/dev/$device; done
ln -s /proc/self/fd {root}/dev/fd
mkdir -m 1777 {root}/dev/shm
mount -t tmpfs -o mode=1777 tmpfs {root}/dev/shm
{mounts}
ip link set lo up
{lock}
exec chroot --userspec={user} --groups= {root} env -i {variables} sh -c 'cd {folder} && exec "$0" "$@"' {command}
"""


@dataclass(frozen=True)
class Wanted:
    """What to start: ``mounts`` are pairs of a folder here, read-only inside, and its place there."""

    image: str
    arguments: tuple[str, ...] = ()
    mounts: tuple[tuple[Path, str], ...] = ()
    writable: tuple[tuple[Path, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    read_only: bool = False
    port: int = 8080
    entrypoint: tuple[str, ...] = ()


@dataclass
class Running:
    """A container that runs. ``call`` runs a function where its port can be reached."""

    process: subprocess.Popen[bytes]
    base_url: str
    call: Callable[[Callable[[], Any]], Any]
    interrupt: Callable[[], None]
    log: Path
    root: Path | None = None
    main: int = 0
    """The id of its main process on this machine."""
    inside: Callable[[Sequence[str]], int] = lambda words: 0

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request on a connection of its own."""

        def send() -> httpx.Response:
            with httpx.Client(base_url=self.base_url, timeout=60, trust_env=False) as client:
                return client.request(method, path, **options)

        reply: httpx.Response = self.call(send)
        return reply

    def wait(self, path: str = "/health/", status: int = 200) -> httpx.Response:
        """The first answer with that status; AssertionError when none comes."""
        until = time.monotonic() + READY_WITHIN
        last = "no answer"
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                reply = self.request("GET", path)
                if reply.status_code == status:
                    return reply
                last = f"{reply.status_code} {reply.text}"
                if reply.status_code == NOT_LOADED:
                    break
            time.sleep(0.05)
        raise AssertionError(f"GET {path} was never {status}: {last}\n{self.printed}")

    def processes(self) -> list[psutil.Process]:
        """The processes of the container, as far as this machine sees them."""
        found: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            main = psutil.Process(self.main)
            found = [main, *main.children(recursive=True)]
        return found

    def processor_time(self) -> float:
        """Seconds of processor that the container has used, processes that ended included."""
        total = 0.0
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                used = process.cpu_times()
                total += used.user + used.system + used.children_user + used.children_system
        return total

    def stop(self) -> int:
        """Send SIGTERM to the container's main process; its exit code."""
        if self.process.poll() is None:
            self.interrupt()
        return self.process.wait(STOPS_WITHIN)

    @property
    def printed(self) -> str:
        return self.log.read_text(errors="replace")


class Containers:
    """Starts containers with an engine of docker's kind, and removes what is left at the end."""

    def __init__(self, engine: ContainerEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder

    @contextlib.contextmanager
    def start(self, wanted: Wanted) -> Iterator[Running]:
        """Run a container until the block ends."""
        name = f"polyhost-test-{uuid.uuid4().hex[:12]}"
        program = self.engine.program
        words = [program, "run", "--rm", "--name", name]
        words += ["-p", f"127.0.0.1::{wanted.port}"] if wanted.port else []
        words += ["--read-only"] if wanted.read_only else []
        words += ["--user", wanted.user] if wanted.user else []
        for key, value in wanted.environment.items():
            words += ["--env", f"{key}={value}"]
        for here, inside in wanted.mounts:
            words += ["-v", f"{here}:{inside}:ro"]
        for here, inside in wanted.writable:
            words += ["-v", f"{here}:{inside}"]
        entrypoint, *first = wanted.entrypoint or ("",)
        words += ["--entrypoint", entrypoint] if entrypoint else []
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            command = [*words, wanted.image, *first, *wanted.arguments]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            url = f"http://{self._published(process, name, wanted.port)}" if wanted.port else ""
            yield Running(
                process,
                url,
                lambda work: work(),
                lambda: process.send_signal(signal.SIGTERM),
                log,
                main=int(_run(program, "inspect", "-f", "{{.State.Pid}}", name).stdout or 0),
                inside=lambda words: _run(program, "exec", name, *words).returncode,
            )
        finally:
            if process.poll() is None:
                _run(program, "kill", name)
                process.wait(STOPS_WITHIN)

    def _published(self, process: subprocess.Popen[bytes], name: str, port: int) -> str:
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until and process.poll() is None:
            found = _run(self.engine.program, "port", name, f"{port}/tcp")
            if found.returncode == 0 and found.stdout.strip():
                return found.stdout.split()[0]
            time.sleep(0.05)
        raise AssertionError(f"{name} published no port")


class BuildahContainers(Containers):
    """The same with buildah, which is asked for an image's files and settings."""

    @contextlib.contextmanager
    def start(self, wanted: Wanted) -> Iterator[Running]:
        """Run a container until the block ends."""
        made = _run("buildah", "from", "--pull-never", wanted.image)
        assert made.returncode == 0, made.stderr
        container = made.stdout.split()[-1]
        try:
            root = Path(_run("buildah", "mount", container).stdout.strip())
            with self._started(wanted, root) as running:
                yield running
        finally:
            _run("buildah", "rm", container)

    @contextlib.contextmanager
    def _started(self, wanted: Wanted, root: Path) -> Iterator[Running]:
        image = json.loads(_run("buildah", "inspect", "--type", "image", wanted.image).stdout)
        settings = image["Docker"]["config"]
        script = _script(wanted, root, settings)
        separate = ["--mount", "--net"]
        if wanted.read_only:  # then also process 1, as with other engines
            separate += ["--pid", "--fork", "--kill-child"]
        log = self.folder / f"{uuid.uuid4().hex[:12]}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["unshare", *separate, "sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={"PATH": os.environ["PATH"]},
            )
        try:
            if not wanted.port:
                yield Running(process, "", lambda work: work(), process.terminate, log, root)
                return
            first = _within(process, root, log)
            with ThreadPoolExecutor(1, initializer=_enter, initargs=(first,)) as network:
                yield Running(
                    process,
                    f"http://127.0.0.1:{wanted.port}",
                    lambda work: network.submit(work).result(),
                    lambda: os.kill(first, signal.SIGTERM),
                    log,
                    root,
                    first,
                    inside=lambda words: (
                        _run(
                            *("nsenter", "--mount", "--net", "-t", str(first), "--root", "--wd"),
                            *("env", "-i", *_variables(wanted, settings), *words),
                        ).returncode
                    ),
                )
        finally:
            with contextlib.suppress(psutil.Error):  # it has ended
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
            process.wait(STOPS_WITHIN)


def _script(wanted: Wanted, root: Path, settings: dict[str, Any]) -> str:
    mounts = []
    for here, inside in (*wanted.mounts, *wanted.writable):
        place = shlex.quote(f"{root}{inside}")
        mounts.append(f"mkdir -p {place}; mount --bind {shlex.quote(str(here))} {place}")
        if (here, inside) in wanted.mounts:
            mounts.append(f"mount -o remount,bind,ro {place}")
    user = wanted.user or settings.get("User") or "0:0"
    entrypoint = wanted.entrypoint or settings["Entrypoint"]
    return CONTAINER.format(
        root=root,
        devices=" ".join(DEVICES),
        mounts="\n".join(mounts),
        lock=f"mount -o remount,bind,ro {root}" if wanted.read_only else "",
        user=user if ":" in user else f"{user}:0",
        variables=shlex.join(_variables(wanted, settings)),
        folder=settings.get("WorkingDir") or "/",
        command=shlex.join([*entrypoint, *wanted.arguments]),
    )


def _variables(wanted: Wanted, settings: dict[str, Any]) -> list[str]:
    return [*settings["Env"], *(f"{key}={value}" for key, value in wanted.environment.items())]


def _within(process: subprocess.Popen[bytes], root: Path, log: Path) -> int:
    """The id of the first process that sees the container's files alone."""
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until and process.poll() is None:
        tree = [psutil.Process(process.pid)]
        tree += tree[0].children(recursive=True)
        for one in tree:
            with contextlib.suppress(OSError, psutil.Error):
                if os.readlink(f"/proc/{one.pid}/root") != "/":
                    return int(one.pid)
        time.sleep(0.01)
    raise AssertionError(f"no container of {root} was started: {log.read_text(errors='replace')}")


def _enter(process: int) -> None:
    """Bring this thread into the network of a process."""
    descriptor = os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(descriptor)


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def containers(engine: ContainerEngine, folder: Path) -> Containers:
    """What starts containers with this engine."""
    return (BuildahContainers if isinstance(engine, Buildah) else Containers)(engine, folder)
