"""A warm parent: one thread, costly imports done, workers forked from it in milliseconds.

The host talks to it over a sequenced-packet socket. A command is ``{"number": N}`` with five
descriptors: a file with the command itself, ``{"cmd": "fork", "spec": ..., "env": {...}, "setup":
{...}}``, which may be long, and the worker's data, control, stdout and stderr. The answer is
``{"number": N, "pid": P}``, or ``{"number": N, "refused": REASON}``; the host then spawns instead.
A worker is forked twice over, so that it becomes the host's own child and the host alone waits for
it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
import traceback
from typing import Any, Dict, List, Mapping, Sequence, Set

from polyhost.wire import descriptors, linux
from polyhost.wire.messages import spec_from_wire
from polyhost.worker import identity

MAX_PACKET = 1 << 16
ADOPTION_LIMIT = 30.0
"""Seconds in which the kernel must have given a forked worker to the host; a busy machine takes
its time."""

WARM_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""What keeps numpy, pandas, pyarrow and scikit-learn at one thread after import."""


_warmed: Set[str] = set()


def main(fd: int, preload: Sequence[str], language: str, host: int) -> None:
    """Serve fork commands until the host closes the socket; never returns."""
    linux.die_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # sent to the host's whole group, it is the host's
    sock = socket.socket(fileno=fd)
    try:
        _warm_up(preload, language)
    except BaseException as error:
        traceback.print_exc()
        _send(sock, {"refused": f"{type(error).__name__}: {error}"})
        os._exit(1)
    gc.collect()
    gc.freeze()
    _send(sock, {"ready": os.getpid(), "threads": linux.thread_count()})
    while True:
        data, fds = descriptors.receive(sock, MAX_PACKET)
        if not data:
            os._exit(0)
        _send(sock, {"number": json.loads(data)["number"], **_answer(sock, fds, host)})
        for descriptor in fds:
            os.close(descriptor)


def _warm_up(preload: Sequence[str], language: str) -> None:
    for name in preload:
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # not in this environment: a worker that needs it says so itself
    if language:
        _warm_for(language)


def _answer(sock: socket.socket, fds: List[int], host: int) -> Dict[str, Any]:
    """Carry out the command in the first descriptor's file; a failure is this command's alone."""
    try:
        with open(fds.pop(0), "rb") as file:
            file.seek(0)
            command = json.load(file)
        if not isinstance(command, dict) or not {"spec", "env"} <= command.keys():
            return {"refused": "the command has no spec and env"}
        return _fork(sock, command, fds, host)
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"}


def _send(sock: socket.socket, message: Dict[str, Any]) -> None:
    try:
        sock.send(json.dumps(message).encode())
    except OSError:
        os._exit(0)


def _fork(
    sock: socket.socket, command: Dict[str, Any], fds: List[int], host: int
) -> Dict[str, Any]:
    try:
        _warm_for_model(command["spec"])
    except Exception as error:  # the worker meets it again, and reports it as it should be
        sys.stderr.write(f"polyhost: warming up failed: {error}\n")
    threads = linux.thread_count()
    if threads != 1:
        return {"refused": f"the warm parent has {threads} threads; forking it is not safe"}
    reader, writer = os.pipe()
    first = os.fork()
    if first == 0:
        try:
            second = os.fork()
            if second == 0:
                os.close(reader)
                os.close(writer)
                sock.close()
                _become_worker(command, fds, host)
            os.write(writer, str(second).encode())
        finally:
            os._exit(0)
    os.close(writer)
    pid = os.read(reader, 32)
    os.close(reader)
    os.waitpid(first, 0)
    return {"pid": int(pid)} if pid else {"refused": "the fork failed"}


def _warm_for(language: str) -> Any:
    """Do here, once for all later workers, the costly start that the language's bridge names."""
    from polyhost.bridges import bridge_for

    module = bridge_for(language).load()
    if module.__name__ not in _warmed:
        _warmed.add(module.__name__)
        warm = getattr(module, "warm", None)
        if warm is not None:
            warm()
            _settle()
    return module


def _warm_for_model(wire: Mapping[str, Any]) -> None:
    """The same, and what the bridge does for this model and others like it."""
    warm_model = getattr(_warm_for(wire["language"]), "warm_model", None)
    if warm_model is not None and warm_model(spec_from_wire(wire)):
        _settle()


def _settle() -> None:
    gc.collect()
    gc.freeze()


def _become_worker(command: Dict[str, Any], fds: List[int], host: int) -> None:
    """In the grandchild: take the host as parent, a group, an environment and the descriptors."""
    try:
        limit = time.monotonic() + ADOPTION_LIMIT
        while os.getppid() != host:
            if time.monotonic() > limit:
                os._exit(71)
            time.sleep(0.0002)
        enter(command["env"], fds[2], fds[3], command.get("setup") or {})
        from polyhost.worker.main import main as worker_main

        worker_main(fds[0], fds[1])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(70)


def enter(env: Dict[str, str], stdout: int, stderr: int, setup: Dict[str, Any]) -> None:
    """Make this process a worker's: own group and user, death signal, environment, streams."""
    os.setpgid(0, 0)
    identity.begin(setup)
    linux.die_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(env)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for descriptor in (null, stdout, stderr):
        if descriptor > 2:
            os.close(descriptor)
    _give_threads_back(env)


def _give_threads_back(env: Dict[str, str]) -> None:
    """The parent ran its linear algebra on one thread so that it could be forked."""
    try:
        import threadpoolctl  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return
    asked = env.get("OMP_NUM_THREADS") or env.get("OPENBLAS_NUM_THREADS") or ""
    cores = len(os.sched_getaffinity(0))
    threadpoolctl.threadpool_limits(limits=int(asked) if asked.isdecimal() else cores)
