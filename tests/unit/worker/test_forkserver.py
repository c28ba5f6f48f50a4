"""The fork server, as the host speaks to it: what it forks, what it refuses, and that it goes on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polyhost.data.target import Target, TargetType
from polyhost.host.sockets import Sockets
from polyhost.host.spawn import BOOT
from polyhost.predictor import ModelSpec
from polyhost.wire import descriptors, frames, linux
from polyhost.wire.frames import FrameKind, LongMetas, Parser
from polyhost.wire.messages import spec_to_wire
from polyhost.worker.forkserver import MAX_PACKET, WARM_ENVIRONMENT

CUSTOM = """
def load_model(code_dir):
    return 1
def score_unstructured(model, data, **kwargs):
    return data
"""


class Server:
    """A fork server of this process, which adopts what it forks."""

    def __init__(self) -> None:
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(60)
        arguments = {"fd": theirs.fileno(), "preload": [], "language": "", "host": os.getpid()}
        self.process = subprocess.Popen(
            [sys.executable, str(BOOT), "polyhost.worker.forkserver", json.dumps(arguments)],
            env={**os.environ, **WARM_ENVIRONMENT},
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()
        self.ready = self.receive()

    def receive(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.sock.recv(MAX_PACKET))
        return found

    def ask(self, number: int, content: bytes, sockets: Sockets) -> dict[str, Any]:
        """The answer to a command."""
        file = os.memfd_create("command")
        os.write(file, content)
        data = json.dumps({"number": number}).encode()
        descriptors.send(self.sock, data, [file, *sockets.for_worker()])
        os.close(file)
        return self.receive()

    def close(self) -> None:
        self.sock.close()
        self.process.wait(30)


@pytest.fixture
def server() -> Iterator[Server]:
    assert linux.become_subreaper()
    server = Server()
    yield server
    server.close()
    linux._prctl(linux._PR_SET_CHILD_SUBREAPER, 0)


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    sockets = Sockets()
    yield sockets
    sockets.close()
    sockets.worker_data.close()
    sockets.worker_control.close()


def command(folder: Path, labels: int = 2, artifacts: tuple[str, ...] = ()) -> bytes:
    target = Target(TargetType.UNSTRUCTURED)
    if labels:
        names = tuple(f"a label with the number {i}" for i in range(labels))
        target = Target(TargetType.MULTICLASS, names)
    found = tuple(map(Path, artifacts))
    spec = spec_to_wire(ModelSpec(folder, "python", target, Path("custom.py"), found))
    return json.dumps({"cmd": "fork", "spec": spec, "env": dict(os.environ)}).encode()


def initialise(sockets: Sockets, content: bytes) -> dict[str, Any]:
    """What a worker answers to INIT."""
    meta = {"protocol": frames.PROTOCOL_VERSION, "spec": json.loads(content)["spec"], "loop": {}}
    sockets.control.setblocking(True)
    sockets.control.settimeout(60)
    sockets.control.sendall(frames.encode_long(FrameKind.INIT, frames.dumps(meta)))
    parser, pieces = Parser(), LongMetas()
    while True:
        data = sockets.control.recv(1 << 16)
        assert data, "the worker ended"
        for frame in map(pieces.add, parser.feed(data)):
            if frame is not None and frame.kind in (FrameKind.READY, FrameKind.ERROR):
                assert frame.kind == FrameKind.READY, frame.meta
                return frame.json()


def test_a_worker_is_a_child_of_the_host_and_has_its_own_descriptors_only(
    server: Server, sockets: Sockets, tmp_path: Path
) -> None:
    assert server.ready["threads"] == 1
    (tmp_path / "custom.py").write_text(CUSTOM, encoding="utf-8")
    content = command(tmp_path, labels=0)
    answer = server.ask(7, content, sockets)
    assert answer["number"] == 7
    pid = answer["pid"]
    assert linux.parent(pid) == os.getpid()
    sockets.close_worker_ends()
    assert initialise(sockets, content)["pid"] == pid
    found = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    assert not [path for path in found if "command" in path]  # it holds another's environment
    assert len([path for path in found if path.startswith("socket:")]) == 2
    sockets.data.shutdown(socket.SHUT_WR)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_spec_longer_than_any_packet_or_meta(
    server: Server, sockets: Sockets, tmp_path: Path
) -> None:
    (tmp_path / "custom.py").write_text(
        "def score(data, model): pass\ndef load_model(d): return 1\n"
    )
    content = command(tmp_path, labels=60_000)
    assert len(content) > frames.MAX_META
    pid = server.ask(1, content, sockets)["pid"]
    sockets.close_worker_ends()
    info = initialise(sockets, content)["info"]
    assert info["target"]["labels"] == json.loads(content)["spec"]["target"]["labels"]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"cmd": "fork"}'])
def test_a_command_that_cannot_be_read_is_refused_and_the_next_is_not(
    server: Server, sockets: Sockets, tmp_path: Path, content: bytes
) -> None:
    refused = server.ask(1, content, sockets)
    assert refused["number"] == 1
    assert "pid" not in refused
    pid = server.ask(2, command(tmp_path), sockets)["pid"]
    sockets.close_worker_ends()
    sockets.control.close()  # the host has gone: it ends
    os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("custom", "artifacts", "wanted"),
    [
        (CUSTOM, (), False),
        (CUSTOM, ("model.onnx",), False),
        (CUSTOM, ("model.pkl",), True),
        (CUSTOM + "    import sklearn", (), True),
    ],
)
def test_scikit_learn_is_imported_for_models_that_seem_to_need_it(
    server: Server,
    sockets: Sockets,
    tmp_path: Path,
    custom: str,
    artifacts: tuple[str, ...],
    wanted: bool,
) -> None:
    def imported() -> bool:
        return "/sklearn/" in Path(f"/proc/{server.process.pid}/maps").read_text()

    assert not imported()
    (tmp_path / "custom.py").write_text(custom, encoding="utf-8")
    os.mkfifo(tmp_path / "pipe.py")  # reading it would wait for ever
    pid = server.ask(1, command(tmp_path, 0, artifacts), sockets)["pid"]
    assert imported() == wanted
    sockets.close_worker_ends()
    sockets.control.close()  # the host has gone: it ends
    os.waitpid(pid, 0)


def test_it_ends_with_its_host(server: Server) -> None:
    server.sock.shutdown(socket.SHUT_RDWR)
    assert server.process.wait(30) == 0
