"""A bridge's guests in a process of their own, driven from a test.

A runtime that must not share a process with another (Julia and a JVM kill each other) cannot run
in pytest's own. Calls cross as pickles; what a guest holds stays there, as a token here.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyhost.bridges import bridge_for
from polyhost.codecs import Answer, Request, dispatch
from polyhost.data.payload import Payload, Table
from polyhost.errors import PolyhostError, from_wire, to_wire
from polyhost.pipeline.pipeline import open_predictor
from polyhost.predictor import (
    GuestInfo,
    HookContext,
    ModelInfo,
    ModelSpec,
    Predictor,
    Reply,
    Traits,
)

_PLAIN = (
    type(None),
    bool,
    list,
    dict,
    int,
    float,
    str,
    bytes,
    frozenset,
    Table,
    Reply,
    GuestInfo,
    ModelInfo,
    Traits,
)


@dataclass(frozen=True)
class Token:
    """A value that the process holds."""

    number: int


class Ended(Exception):
    """The process ended instead of answering; holds its exit status."""


class GuestProcess:
    """The process; what it prints goes to the two files."""

    def __init__(self, folder: Path, **environment: str) -> None:
        ours, theirs = socket.socketpair()
        self._channel = ours
        self.out, self.err = folder / "stdout", folder / "stderr"
        with self.out.open("wb") as out, self.err.open("wb") as err, theirs:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **environment},
            )

    def open(self, spec: ModelSpec) -> RemoteGuest:
        """Open a model there; its custom file is loaded, and no hook has run."""
        return RemoteGuest(self, spec, self.call(None, "open", spec))

    def call(self, guest: Token | None, name: str, *arguments: Any) -> Any:
        """Call a method of a guest there, or of the process itself."""
        try:
            _send(self._channel, (guest, name, arguments))
            kind, value = _receive(self._channel)
        except (EOFError, ConnectionError):
            raise Ended(self.process.wait(timeout=60)) from None
        if kind == "error":
            raise from_wire(value)
        return value

    def load(self, spec: ModelSpec) -> RemoteModel:
        """Load a model there as a worker does, hooks and all."""
        return RemoteModel(self, self.call(None, "load", spec))

    def memory(self) -> int:
        """Bytes of memory that the process has to itself, garbage collected first."""
        return int(self.call(None, "memory"))

    def close(self) -> None:
        self._channel.close()
        self.process.wait(timeout=60)


class RemoteGuest:
    """A guest there: its methods, and properties read when it was opened."""

    def __init__(self, process: GuestProcess, spec: ModelSpec, token: Token) -> None:
        self.process, self.spec, self._token = process, spec, token
        self.hooks = process.call(token, "hooks")
        self.traits = process.call(token, "traits")

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.process.call(self._token, name, *arguments)

    def context(self, payload: Payload = Payload(b"")) -> HookContext:  # noqa: B008
        return HookContext(self.spec.target, payload)


@dataclass(frozen=True)
class RemoteModel:
    """A loaded model there."""

    process: GuestProcess
    token: Token

    @property
    def info(self) -> ModelInfo:
        found: ModelInfo = self.process.call(self.token, "info")
        return found

    def answer(self, request: Request, body: bytes) -> Answer:
        """What a worker answers to a request."""
        return Answer(*self.process.call(None, "answered", self.token, request.to_wire(), body))

    def predictions(self, content_type: str, body: bytes) -> Any:
        """The answer to one request's body, read from its JSON."""
        return self.process.call(None, "respond", self.token, content_type, body)

    def warnings(self) -> list[str]:
        """What the process logged since the last call, from warnings up."""
        found: list[str] = self.process.call(None, "warnings")
        return found


def _send(channel: socket.socket, value: Any) -> None:
    raw = pickle.dumps(value)
    channel.sendall(struct.pack("<q", len(raw)) + raw)


def _receive(channel: socket.socket) -> Any:
    (size,) = struct.unpack("<q", _exactly(channel, 8))
    return pickle.loads(_exactly(channel, size))


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = channel.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


class _Process:
    """The other side."""

    def __init__(self) -> None:
        self._held: dict[int, Any] = {}
        self._logged: list[str] = []
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self._logged.append(record.getMessage())  # type: ignore[method-assign]
        logging.getLogger("polyhost").addHandler(handler)

    def answer(self, guest: Token | None, name: str, arguments: tuple[Any, ...]) -> Any:
        given = [self._held[a.number] if isinstance(a, Token) else a for a in arguments]
        if guest is None:
            return getattr(self, name)(*given)
        value = getattr(self._held[guest.number], name)
        return self._given(value(*given) if callable(value) else value)

    def open(self, spec: ModelSpec) -> Token:
        return self._keep(bridge_for(spec.language).open(spec))

    def load(self, spec: ModelSpec) -> Token:
        return self._keep(open_predictor(spec))

    def respond(self, predictor: Predictor, content_type: str, body: bytes) -> Any:
        """The JSON answer of a worker to a body."""
        request = Request("predict", "drum", content_type)
        answer = dispatch.answer(predictor, request, body)
        assert isinstance(answer.body, bytes)
        return json.loads(answer.body)

    def answered(self, predictor: Predictor, wire: dict[str, Any], body: bytes) -> list[Any]:
        """The fields of a worker's answer, a streamed body as a whole."""
        found = dispatch.answer(predictor, Request.from_wire(wire), body)
        whole = found.body if isinstance(found.body, bytes) else b"".join(found.body)
        return [whole, found.content_type, found.status, dict(found.headers)]

    def warnings(self) -> list[str]:
        """What was logged since the last call, from warnings up."""
        found, self._logged[:] = list(self._logged), []
        return found

    def drop(self, *_held: Any) -> None:
        """Forget everything but the guests."""
        self._held = {n: v for n, v in self._held.items() if hasattr(v, "run_init")}

    def memory(self) -> int:
        text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
        private = [line for line in text.splitlines() if line.startswith("Private_Dirty")]
        return sum(int(line.split()[1]) * 1024 for line in private)

    def _given(self, value: Any) -> Any:
        return value if isinstance(value, _PLAIN) else self._keep(value)

    def _keep(self, value: Any) -> Token:
        token = Token(max(self._held, default=0) + 1)
        self._held[token.number] = value
        return token


def main(descriptor: int) -> None:
    channel = socket.socket(fileno=descriptor)
    process = _Process()
    while True:
        try:
            request = _receive(channel)
        except EOFError:
            return
        try:
            reply = ("ok", process.answer(*request))
        except PolyhostError as error:
            reply = ("error", to_wire(error))
        _send(channel, reply)


if __name__ == "__main__":
    # The classes must be the ones that pickles name.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from support import guest_process

    guest_process.main(int(sys.argv[1]))
