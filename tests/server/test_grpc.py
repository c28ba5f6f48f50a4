"""gRPC in this process over a fake model: each outcome is that of the same call over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
import httpx
import pytest
import uvloop
from server.test_outcomes import KEYS, World, wait_for
from support.fake_model import ERRORS, MAX_BODY, REFUSALS
from support.listening import listening

from polyhost.formats import protobuf as pb
from polyhost.server.credentials import Access
from polyhost.server.grpc.serving import GrpcServer, reserve
from polyhost.settings import ServerSettings

SETTINGS = ServerSettings(grace=5.0, grpc_port=0)
INFER = "/inference.GRPCInferenceService/ModelInfer"
BY_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    413: "RESOURCE_EXHAUSTED",
    418: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
BODILESS = "model status 204"
"""An answer that has a body in no protocol."""
GOOD = ("answer", "headers", "large answer", "file", "empty file", "stream")


def message(word: str, model: str = "m") -> bytes:
    return pb.field(1, model) + pb.field(3, word)


class Client:
    """A client whose messages are bytes."""

    def __init__(self, port: int) -> None:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)

    def future(self, method: str, data: bytes, **metadata: str) -> Any:
        pairs = tuple((key.replace("_", "-"), value) for key, value in metadata.items())
        return self.channel.unary_unary(method).future(data, timeout=30, metadata=pairs)

    def ask(self, method: str, data: bytes, **metadata: str) -> tuple[str, Any]:
        """The code, and the answer or what the error says."""
        future = self.future(method, data, **metadata)
        try:
            return "OK", future.result()
        except grpc.RpcError as error:
            return error.code().name, error.details()


@contextlib.contextmanager
def serving(world: World, app: Any = None) -> Iterator[Client]:
    """The world's application behind gRPC, on a loop in a thread of its own."""
    sock = reserve(world.settings)
    assert sock is not None
    settings = replace(world.settings, grpc_port=sock.getsockname()[1])
    loop, stop, started = uvloop.new_event_loop(), asyncio.Event(), threading.Event()

    async def run() -> None:
        server = GrpcServer(app() if app else world.app, settings, Access(settings))
        await server.start()
        started.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert started.wait(20)
        client = Client(sock.getsockname()[1])
        yield client
        client.channel.close()
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        sock.close()
        assert not thread.is_alive()
        loop.close()


@pytest.fixture(scope="module")
def world() -> World:
    return World(SETTINGS)


@pytest.fixture(scope="module")
def clients(world: World) -> Iterator[dict[str, Client]]:
    """A client of the application, and one of a front."""
    with serving(world) as one, serving(world, world.front) as front:
        yield {"one process": one, "front": front}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    other = World(SETTINGS)
    with listening(lambda: other.app, SETTINGS) as server:
        base = f"http://127.0.0.1:{server.port}"
        with httpx.Client(base_url=base, trust_env=False) as client:
            yield client


@pytest.mark.parametrize("word", [*GOOD, *(word for word in ERRORS if word != BODILESS), *REFUSALS])
def test_every_outcome_is_that_of_http(
    world: World, clients: dict[str, Client], http: httpx.Client, word: str
) -> None:
    reply = http.post("/v2/models/m/infer/message", content=message(word))
    if reply.status_code == 200:
        expected: Any = ("OK", reply.content)
    else:
        expected = (BY_STATUS[reply.status_code], reply.json()["error"])
    for client in clients.values():
        assert client.ask(INFER, message(word)) == expected
    wait_for(lambda: world.host.budget.used == 0)


def test_a_stream_that_breaks_off_is_an_error(clients: dict[str, Client]) -> None:
    for client in clients.values():
        found = client.ask(INFER, message("stream that breaks"))
        assert found == ("INTERNAL", "the generator failed")


def test_a_body_may_be_as_large_as_the_model_takes(clients: dict[str, Client]) -> None:
    room = MAX_BODY - len(message("answer")) - 8
    padding = pb.field(9, b"x" * room)
    for client in clients.values():
        assert client.ask(INFER, padding + message("answer"))[0] == "OK"
        code, text = client.ask(INFER, padding + pb.field(9, b"x" * 99) + message("answer"))
        assert code == "RESOURCE_EXHAUSTED"
        assert str(MAX_BODY) in text


def test_what_is_not_there_is_named(clients: dict[str, Client]) -> None:
    client = clients["one process"]
    assert client.ask(INFER, message("answer", "other")) == (
        "NOT_FOUND",
        "no model 'other' here: expected m",
    )
    version = pb.field(1, "m") + pb.field(2, "9") + pb.field(3, "answer")
    assert client.ask(INFER, version) == (
        "NOT_FOUND",
        "model 'm' has no version '9' here: expected '1'",
    )
    for wrong in (b"", b"\xff", pb.field(1, "../m"), pb.field(1, b"\xff")):
        assert client.ask(INFER, wrong)[0] == "INVALID_ARGUMENT"
    assert client.ask("/inference.GRPCInferenceService/ModelStreamInfer", b"")[0] == "UNIMPLEMENTED"


def test_the_id_of_a_request_comes_back_and_reaches_the_model(
    world: World, clients: dict[str, Client]
) -> None:
    future = clients["one process"].future(INFER, message("answer"), x_request_id="mine")
    future.result()
    assert dict(future.trailing_metadata())["x-request-id"] == "mine"
    busy = clients["one process"].future(INFER, message("queue full"))
    with pytest.raises(grpc.RpcError):
        busy.result()
    assert dict(busy.trailing_metadata())["retry-after"] == "1"


def test_a_client_that_leaves_ends_its_call() -> None:
    world = World(SETTINGS)
    with serving(world) as client:
        future = client.future(INFER, message("silence"))
        wait_for(lambda: bool(world.model.seen))
        future.cancel()
        wait_for(lambda: len(world.model.cancelled) == 1)
        wait_for(lambda: world.host.budget.used == 0)
    meters = world.watch.metrics.of(world.model.config).routes
    assert meters["grpc"].codes == {499: 1}


def test_keys_are_judged_as_over_http() -> None:
    world = World(replace(SETTINGS, keys=KEYS))
    with serving(world) as client:
        for metadata, code in [
            ({}, "UNAUTHENTICATED"),
            ({"authorization": "Bearer x"}, "UNAUTHENTICATED"),
            ({"x_api_key": "o"}, "PERMISSION_DENIED"),
            ({"authorization": "Bearer k"}, "OK"),
        ]:
            assert client.ask(INFER, message("answer"), **metadata)[0] == code
            ready = pb.field(1, "m")
            assert (
                client.ask("/inference.GRPCInferenceService/ModelReady", ready, **metadata)[0]
                == code
            )
        for probe in ("ServerLive", "ServerReady"):
            found = client.ask(f"/inference.GRPCInferenceService/{probe}", b"")
            assert found == ("OK", pb.number(1, True))
        assert client.ask("/grpc.health.v1.Health/Check", b"") == ("OK", pb.number(1, 1))


def test_a_port_that_is_taken_is_named() -> None:
    from polyhost.errors import SettingsError

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"gRPC on 127.0.0.1:{port}"):
            reserve(replace(SETTINGS, grpc_port=port))


def test_the_message_of_an_error_is_the_one_of_its_json(http: httpx.Client) -> None:
    reply = http.post("/v2/models/m/infer", content=json.dumps("invalid input"))
    assert (reply.status_code, reply.json()) == (400, {"error": "column 'a' is missing"})
