"""``polyhost score`` many times in one process of a language: starting its runtime is what costs time.

The process runs the command's own code. Where the language can be forked once it is warm (Python, R),
each run is the fork that the command always makes; a JVM or a Julia cannot be forked, and there the
runs follow each other in the process itself. Whatever ends a process belongs to the real command.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.command import Command, Done, clean_environment

TESTS = Path(__file__).resolve().parents[1]
PROGRAM = [sys.executable, "-m", "support.warm_command"]
LONGEST = 240.0
"""Seconds that one run may take."""


class WarmProcess:
    """The process of one language; started by the first run, and again after it ended."""

    def __init__(self, language: str, folder: Path) -> None:
        self.language = language
        self.folder = folder
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, folder: Path, words: list[str], env: dict[str, str]) -> Done:
        """One run of the command in this folder."""
        if self._channel is None:
            self._start()
        assert self._channel is not None
        out, err = folder / "stdout", folder / "stderr"
        request = {"words": words, "folder": str(folder), "env": env}
        try:
            self._channel.sendall(json.dumps(request).encode() + b"\n")
            answer = self._channel.recv(1 << 16)
        except OSError:  # it ended, or it hangs
            answer = b""
        if not answer:
            self.close()
            raise AssertionError(f"{self.language} ended in {words}\n{self._printed(err)}")
        code = int(json.loads(answer)["code"])
        return Done(code, out.read_text(errors="replace"), err.read_text(errors="replace"))

    def close(self) -> None:
        """End it; AssertionError when it left temporary files."""
        if self._channel is None or self._process is None:
            return
        self._channel.close()
        self._channel = None
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        left = sorted(path.name for path in (self.folder / "tmp").iterdir())
        assert not left, f"temporary files left: {left}"

    def _printed(self, err: Path) -> str:
        found = [
            path.read_text(errors="replace") for path in (err, self.folder / "err") if path.exists()
        ]
        return "\n".join(found)[-8000:]

    def _start(self) -> None:
        from polyhost.bridges import bridge_for
        from polyhost.host.launcher import bridge_environment
        from polyhost.worker.forkserver import WARM_ENVIRONMENT

        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(LONGEST)
        forked = bridge_for(self.language).warm_parent == self.language
        environment = clean_environment(self.folder, **bridge_environment(self.language))
        environment["PYTHONPATH"] += os.pathsep + str(TESTS)
        if forked:
            environment.update(WARM_ENVIRONMENT)
        with open(self.folder / "err", "ab") as err, theirs:
            self._process = subprocess.Popen(
                [*PROGRAM, str(theirs.fileno()), self.language, str(int(forked))],
                pass_fds=[theirs.fileno()],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=err,
                stderr=err,
            )


class WarmCommand:
    """Called as :class:`Command` is; only ``score`` goes to the warm process."""

    def __init__(self, process: WarmProcess, folder: Path) -> None:
        self.folder = folder
        self._process = process
        self._real = Command(folder)

    def __call__(self, *arguments: object, env: dict[str, str] | None = None, **more: Any) -> Done:
        words = [*map(str, arguments)]
        if words[0] != "score" or more:
            return self._real(*arguments, env=env, **more)
        return self._process.run(self.folder, words, env or {})


# The other side


def main(descriptor: int, language: str, forked: bool) -> None:
    """Answer runs until the other side closes the channel."""
    channel = socket.socket(fileno=descriptor)
    if forked:
        _warm(language)
    else:
        importlib.import_module("polyhost.cli.score").run_guarded = _unguarded
    environment = dict(os.environ)
    with channel.makefile("rb") as requests:
        for line in requests:
            request = json.loads(line)
            os.environ.clear()
            os.environ.update(environment, **request["env"])
            os.chdir(request["folder"])
            code = _redirected(Path(request["folder"]), request["words"])
            channel.sendall(json.dumps({"code": code}).encode())


def _warm(language: str) -> None:
    from polyhost.bridges import bridge_for
    from polyhost.host.warm_parent import PRELOAD

    for name in PRELOAD:
        importlib.import_module(name)
    warm = getattr(bridge_for(language).load(), "warm", None)
    if warm is not None:
        warm()


def _redirected(folder: Path, words: list[str]) -> int:
    """The command's exit code; what it prints goes to files in the folder."""
    from polyhost.cli import main as command

    kept = [os.dup(1), os.dup(2)]
    try:
        for number, name in ((1, "stdout"), (2, "stderr")):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            opened = os.open(folder / name, flags, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        try:
            return command(words)
        except SystemExit as ended:
            return int(ended.code or 0)
    finally:
        _flush()
        for number, saved in zip((1, 2), kept, strict=True):
            os.dup2(saved, number)
            os.close(saved)


def _unguarded(work: Callable[[], int], *, stacktrace: bool) -> int:
    """In place of ``run_guarded`` where this process cannot be forked any more.

    What the work raises, the command itself reports.
    """
    return work()


def _flush() -> None:
    import ctypes

    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3] == "1")
