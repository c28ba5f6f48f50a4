"""Every kind of outcome of a call, through every adapter: the same bytes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import httpx
import pytest
import uvicorn
import zstandard
from support.fake_model import ERRORS, MAX_BODY, REFUSALS, RESULTS, FakeHost, FakeModel
from support.listening import answers_in, listening, read_all

from polyhost.drum_compat import DRUM_VERSION
from polyhost.host.spool import Budget
from polyhost.server.app import build
from polyhost.server.auth import digest_of
from polyhost.server.call.keys import Keys
from polyhost.server.call.route import Service
from polyhost.server.fronts.front_process import FrontApplication
from polyhost.server.watch.instrument import Instruments
from polyhost.server.web import web_application
from polyhost.settings import ApiKey, ServerSettings

SETTINGS = ServerSettings(grace=5.0)
KEYS = (ApiKey("mine", digest_of("k")), ApiKey("other", digest_of("o"), models=("another",)))
HOP = ("date", "server", "connection", "transfer-encoding")
PREDICT, CHAT, RAW = "/predict/", "/v1/chat/completions", "/predictUnstructured/"


class Seen(NamedTuple):
    """What a client saw of an answer; ``broken``: it ended before it was complete."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    broken: bool = False


class Case(NamedTuple):
    """A request, and the status that it has to get."""

    status: int
    body: bytes
    path: str = PREDICT
    kind: str = "text/csv"
    headers: tuple[tuple[str, str], ...] = ()
    chunked: bool = False


def case(status: int, word: str, path: str = PREDICT, kind: str = "text/csv") -> Case:
    return Case(status, word.encode(), path, kind)


STATUS = {
    "invalid input": 422,
    "model error": 500,
    "schema": 422,
    "model status": 418,
    "model status 204": 204,
    "worker death": 500,
    "deadline": 504,
    "queue full": 429,
    "not ready": 503,
    "failed": 503,
    "status 201": 201,
    "status 204": 204,
    "status 205": 205,
    "status 304": 304,
    "file without a body": 204,
}
WORDS = [*RESULTS, *ERRORS, *REFUSALS]
CASES = {
    **{f"predict: {word}": case(STATUS.get(word, 200), word) for word in WORDS},
    "invocations: invalid input": case(400, '"invalid input"', "/invocations", "application/json"),
    "predict: empty body": Case(422, b""),
    "predict: form": Case(422, b"X=1", kind="application/x-www-form-urlencoded"),
    "predict: no type": Case(200, b"answer", kind=""),
    "predict: chunked": Case(200, b"answer", chunked=True),
    "predict: too large": Case(413, b"x" * (MAX_BODY + 1)),
    "predict: too large, chunked": Case(413, b"x" * (MAX_BODY + 1), chunked=True),
    "predict: large": Case(200, b"answer\n" + b"1\n" * 60_000),
    "predict: gzip": Case(200, gzip.compress(b"answer"), headers=(("Content-Encoding", "gzip"),)),
    "predict: zstd": Case(
        418,
        zstandard.compress(b"model status"),
        headers=(("Content-Encoding", "zstd"),),
    ),
    "predict: gzip bomb": Case(
        413, gzip.compress(b"x" * (MAX_BODY + 1)), headers=(("Content-Encoding", "gzip"),)
    ),
    "predict: zstd bomb": Case(
        413, zstandard.compress(b"x" * (64 << 20)), headers=(("Content-Encoding", "zstd"),)
    ),
    "predict: deflate": Case(
        200, zlib.compress(b"answer"), headers=(("Content-Encoding", "deflate"),)
    ),
    "predict: deflate without a header": Case(
        418, zlib.compress(b"model status")[2:-4], headers=(("Content-Encoding", "deflate"),)
    ),
    "predict: deflate bomb": Case(
        413, zlib.compress(b"x" * (MAX_BODY + 1)), headers=(("Content-Encoding", "deflate"),)
    ),
    "predict: half a deflate": Case(
        422, zlib.compress(bytes(range(256)))[:99], headers=(("Content-Encoding", "deflate"),)
    ),
    "predict: not deflate": Case(422, b"answer", headers=(("Content-Encoding", "deflate"),)),
    "predict: not gzip": Case(422, b"answer", headers=(("Content-Encoding", "gzip"),)),
    "predict: not zstd": Case(422, b"answer", headers=(("Content-Encoding", "zstd"),)),
    "predict: half a gzip": Case(
        422, gzip.compress(b"answer" * 100)[:20], headers=(("Content-Encoding", "gzip"),)
    ),
    "predict: brotli": Case(415, b"answer", headers=(("Content-Encoding", "br"),)),
    "predict: gzip twice": Case(
        415, gzip.compress(b"answer"), headers=(("Content-Encoding", "gzip, gzip"),)
    ),
    "predict: identity": Case(200, b"answer", headers=(("Content-Encoding", "identity"),)),
    "wrong endpoint": case(422, "answer", RAW),
    "wrong endpoint: transform": case(422, "answer", "/transform/"),
    "chat: answer": case(200, "answer", CHAT, "application/json"),
    "chat: stream": case(200, "stream", CHAT, "application/json"),
    "chat: stream that breaks": case(200, "stream that breaks", CHAT, "application/json"),
    "chat: invalid input": case(400, "invalid input", CHAT, "application/json"),
    "chat: model error": case(500, "model error", CHAT, "application/json"),
    "chat: queue full": case(429, "queue full", CHAT, "application/json"),
    "predict: stream": case(200, "stream"),
    "predict: stream that breaks": case(200, "stream that breaks"),
    "predict: stream without a body": case(204, "stream without a body"),
}
PACKED = {
    f"{word} in {coding}": Case(200, word.encode(), headers=(("Accept-Encoding", coding),))
    for word in ("answer", "large answer", "file", "stream", "packed")
    for coding in ("gzip", "zstd", "deflate")
}
CASES |= PACKED
KEYED = {
    "no key": Case(401, b"answer"),
    "unknown key": Case(401, b"answer", headers=(("Authorization", "Bearer x"),)),
    "key of another model": Case(403, b"answer", headers=(("X-API-Key", "o"),)),
    "key": Case(200, b"answer", headers=(("Authorization", "Bearer k"),)),
    "chat: no key": case(401, "answer", CHAT, "application/json"),
    "large body, no key": Case(401, b"x" * 300_000),
}


class World:
    """One application over a fake model, and the adapters that it is asked through."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.model = FakeModel()
        self.host = FakeHost(self.model)
        self.watch = Instruments()
        self.keys = Keys(settings.keys)
        self.app = build(cast(Any, self.host), settings, self.watch, self.keys)

    def front(self) -> Any:
        service = Service(self.settings, self.host.budget, self.keys, self.watch)
        app = FrontApplication(cast(Any, self.host), service, "/nowhere")
        app.refresh()
        return app


Ask = Callable[[Case], Seen]


def raw(case: Case, path: str, *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "X-Request-ID: mine", *more]
    lines += [f"{name}: {value}" for name, value in case.headers]
    if case.kind:
        lines.append(f"Content-Type: {case.kind}")
    if case.chunked:
        lines.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(case.body), case.body)
    else:
        lines.append(f"Content-Length: {len(case.body)}")
        body = case.body
    return "\r\n".join([*lines, "", ""]).encode() + body


def over_socket(port: int, *more: str, suffix: str = "", after: bool = False) -> Ask:
    """Asks a server; ``after``: another request follows at once, and gets its own answer."""

    def ask(case: Case) -> Seen:
        keys = tuple(pair for pair in case.headers if pair[0] != "Content-Encoding")
        second = raw(Case(200, b"answer", headers=keys), PREDICT, "Connection: close")
        data = raw(case, case.path + suffix, *more) + (second if after else b"")
        with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as sock:
            sock.settimeout(20)
            with contextlib.suppress(ConnectionError):
                sock.sendall(data)
            if not after and not more:
                sock.shutdown(socket.SHUT_WR)
            received = read_all(sock)
        try:
            found = answers_in(received)
        except (AssertionError, ValueError):
            return seen(int(received[9:12]), {}, b"", broken=True)
        if after and found[0].headers.get("connection") != "close":
            assert json.loads(found[1].body) == {"predictions": [1.0]}
        return seen(found[0].status, found[0].headers, found[0].body)

    return ask


def seen(status: int, headers: Any, body: bytes, *, broken: bool = False) -> Seen:
    if broken:
        return Seen(status, [], b"", True)
    return Seen(status, sorted((n, v) for n, v in headers.items() if n not in HOP), body)


def over_asgi(world: World) -> Ask:
    web = web_application(world.app)

    async def stream(body: bytes) -> Any:
        yield body

    async def request(case: Case) -> Seen:
        transport = httpx.ASGITransport(web)
        headers = [("X-Request-ID", "mine"), *case.headers]
        if case.kind:
            headers.append(("Content-Type", case.kind))
        content: Any = stream(case.body) if case.chunked else case.body
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            del client.headers["Accept-Encoding"]
            try:
                async with client.stream(
                    "POST", case.path, content=content, headers=headers
                ) as found:
                    body = b"".join([piece async for piece in found.aiter_raw()])
            except PolyhostBroken:
                return Seen(200, [], b"", True)
        return seen(found.status_code, dict(found.headers), body)

    return lambda case: asyncio.run(request(case))


PolyhostBroken = type(ERRORS["model error"])


@contextlib.contextmanager
def foreign(run: Callable[[Any, socket.socket, threading.Event], None], app: Any) -> Iterator[int]:
    """Another ASGI server in a thread; ``run`` serves until the event is set."""
    sock = socket.create_server(("127.0.0.1", 0))
    port, stop = sock.getsockname()[1], threading.Event()
    thread = threading.Thread(target=run, args=(app, sock, stop))
    thread.start()
    try:
        yield port
    finally:
        stop.set()
        thread.join(20)
        sock.close()
        assert not thread.is_alive()


def run_uvicorn(app: Any, sock: socket.socket, stop: threading.Event) -> None:
    config = uvicorn.Config(app, http="h11", lifespan="off", log_config=None)
    server = uvicorn.Server(config)

    async def run() -> None:
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        await asyncio.to_thread(stop.wait)
        server.should_exit = True
        await serving

    asyncio.run(run())


def run_hypercorn(app: Any, sock: socket.socket, stop: threading.Event) -> None:
    import hypercorn.asyncio
    import hypercorn.config

    config = hypercorn.config.Config()
    config.bind = [f"fd://{sock.detach()}"]
    config.graceful_timeout = 1.0
    config.errorlog = None
    config.worker_class = "asyncio"

    async def run() -> None:
        await hypercorn.asyncio.serve(
            app, config, shutdown_trigger=lambda: asyncio.to_thread(stop.wait)
        )

    asyncio.run(run())


@contextlib.contextmanager
def adapters(settings: ServerSettings) -> Iterator[dict[str, tuple[World, Ask]]]:
    """Every way to ask, with the world that answers."""
    with contextlib.ExitStack() as stack:
        ours, fronts, asgi = World(settings), World(settings), World(settings)
        port = stack.enter_context(listening(lambda: ours.app, settings)).port
        front = stack.enter_context(listening(fronts.front, settings)).port
        found = {
            "fast path": (ours, over_socket(port, after=True)),
            "own server by ASGI": (ours, over_socket(port, suffix="?q", after=True)),
            "front": (fronts, over_socket(front, after=True)),
            "front by ASGI": (fronts, over_socket(front, "Connection: close")),
            "FastAPI": (asgi, over_asgi(asgi)),
        }
        for name, run in (("uvicorn h11", run_uvicorn), ("hypercorn", run_hypercorn)):
            world = World(settings)
            other = stack.enter_context(foreign(run, web_application(world.app)))
            found[name] = (world, over_socket(other, "Connection: close"))
        yield found


@pytest.fixture(scope="module")
def ways() -> Iterator[dict[str, tuple[World, Ask]]]:
    with adapters(SETTINGS) as found:
        yield found


@pytest.fixture(scope="module")
def keyed_ways() -> Iterator[dict[str, tuple[World, Ask]]]:
    settings = ServerSettings(grace=5.0, keys=KEYS)
    with adapters(settings) as found:
        yield found


def check(ways: dict[str, tuple[World, Ask]], case: Case) -> None:
    found = {name: ask(case) for name, (_, ask) in ways.items()}
    expected = found["fast path"]
    assert expected.status == case.status, expected
    for name, answer in found.items():
        assert answer == expected, name
    for world, _ in ways.values():
        wait_for(lambda world=world: world.host.budget.used == 0)  # type: ignore[misc]


@pytest.mark.parametrize("name", CASES)
def test_every_outcome_is_the_same_by_every_way(
    ways: dict[str, tuple[World, Ask]], name: str
) -> None:
    check(ways, CASES[name])


@pytest.mark.parametrize("name", KEYED)
def test_keys_are_judged_alike_by_every_way(
    keyed_ways: dict[str, tuple[World, Ask]], name: str
) -> None:
    check(keyed_ways, KEYED[name])


def unpack(body: bytes, coding: str) -> bytes:
    """By the libraries of each coding."""
    if coding == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)).read()
    return gzip.decompress(body) if coding == "gzip" else zlib.decompress(body)


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
@pytest.mark.parametrize(
    ("word", "expected"),
    [("large answer", b"x" * 3_000_000), ("file", b"y" * 700_000), ("packed", b"z" * 2000)],
)
def test_large_answers_are_compressed(word: str, expected: bytes, coding: str) -> None:
    found = over_asgi(World(SETTINGS))(PACKED[f"{word} in {coding}"])
    headers = dict(found.headers)
    assert (headers["content-encoding"], headers["vary"]) == (coding, "accept-encoding")
    assert unpack(found.body, coding) == expected


@pytest.mark.parametrize("word", ["answer", "stream"])
def test_small_answers_and_streams_are_not(word: str) -> None:
    found = over_asgi(World(SETTINGS))(PACKED[f"{word} in gzip"])
    assert "content-encoding" not in dict(found.headers)


def test_what_an_answer_is() -> None:
    """The bytes themselves, once."""
    world = World(SETTINGS)
    with listening(lambda: world.app, SETTINGS) as server:
        data = server.exchange(raw(CASES["predict: answer"], PREDICT, "Connection: close"))
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"content-type: application/json",
        b"content-length: 21",
        b"x-request-id: mine",
        b"x_request_id: mine",
        b"x-drum-version: " + DRUM_VERSION.encode(),
        b"connection: close",
    ]
    assert body == b'{"predictions":[1.0]}'


@pytest.mark.parametrize("word", ["silence", "stream that waits"])
@pytest.mark.parametrize("suffix", ["", "?q"])
@pytest.mark.parametrize("path", [PREDICT, CHAT])
def test_a_client_that_leaves_ends_its_call(word: str, suffix: str, path: str) -> None:
    world = World(SETTINGS)
    with listening(lambda: world.app, SETTINGS) as server:
        with server.connect() as sock:
            sock.sendall(raw(case(200, word, path, "application/json"), path + suffix))
            if word == "stream that waits":
                received = b""
                while b"data: 2" not in received:
                    received += sock.recv(65536)
            else:
                wait_for(lambda: bool(world.model.seen))
        wait_for(lambda: len(world.model.cancelled) == 1)
        wait_for(lambda: world.host.budget.used == 0)
    meters = world.watch.metrics.of(world.model.config).routes.values()
    counted = {code: count for meter in meters for code, count in meter.codes.items()}
    assert counted == {499: 1}


def wait_for(condition: Callable[[], bool]) -> None:
    """Poll without a fixed time; the test's own timeout is the limit."""
    waiting = threading.Event()
    for _ in range(2000):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("it never came to that")


def test_the_budget_holds_what_is_not_answered() -> None:
    world = World(SETTINGS)
    world.host.budget = Budget(1000)
    app = build(cast(Any, world.host), SETTINGS, world.watch, world.keys)
    with listening(lambda: app, SETTINGS) as server, server.connect() as first:
        first.sendall(raw(case(200, "silence\n" + "x" * 600), PREDICT))
        wait_for(lambda: world.host.budget.used == 608)
        second = raw(case(429, "answer\n" + "x" * 600), PREDICT)
        with server.connect() as sock:
            sock.sendall(second)
            (answer,) = answers_in(read_all(sock))
        assert (answer.status, answer.headers["retry-after"]) == (429, "1")


def test_a_models_code_sees_no_key_and_no_coding() -> None:
    settings = ServerSettings(grace=5.0, keys=KEYS)
    world = World(settings)
    headers = (("Authorization", "Bearer k"), ("Content-Encoding", "gzip"), ("X-Mine", "1"))
    request = Case(200, gzip.compress(b"answer"), CHAT, "application/json", headers)
    with listening(lambda: world.app, settings) as server:
        server.exchange(raw(request, CHAT, "Connection: close"))
    meta, body = world.model.seen[0]
    names = {name.lower() for name in meta["headers"]}
    assert "x-mine" in names
    assert not names & {"authorization", "content-encoding"}
    assert body == b"answer"
