"""A front's application: which requests it answers itself, and which the supervisor gets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from unit.server.fronts.scripted_host import SETTINGS, until

from polyhost.data.target import Target, TargetType
from polyhost.host.pool import State
from polyhost.host.shared_counts import SharedCounts
from polyhost.host.spool import Budget
from polyhost.predictor import ModelSpec
from polyhost.server.call.keys import Keys
from polyhost.server.call.route import Service
from polyhost.server.fronts import front_process as module
from polyhost.server.fronts.channel import Channel
from polyhost.server.fronts.front_process import FrontApplication, FrontProcess
from polyhost.server.fronts.front_state import FrontHost
from polyhost.server.fronts.messages import config_to_wire
from polyhost.server.watch.instrument import Instruments
from polyhost.settings import ApiKey, ModelConfig

SPEC = ModelSpec(Path("/m"), "python", Target(TargetType.REGRESSION))


class Made:
    """An application over a front's host, whose relay notes what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.relayed: list[str] = []

        async def relay(scope: Any, receive: Any, send: Any) -> None:
            self.relayed.append(scope["path"])

        monkeypatch.setattr(module, "Relay", lambda path: relay)
        counts, watch = SharedCounts(writers=3), Instruments()
        self.host = FrontHost(lambda message: None, watch.of, counts, 0)
        self.app = FrontApplication(
            self.host, Service(SETTINGS, Budget(), Keys(()), watch), "/nowhere"
        )

    def say(self, what: str, **parts: Any) -> None:
        self.host.on_message({"what": what, **parts}, None)

    def pool(self, number: int, name: str = "m") -> None:
        config = config_to_wire(ModelConfig(name, SPEC))
        self.say("pool", pool=number, config=config, cell=None, cost=(0.0, 0.0))

    def model(self, number: int, name: str, pool: int, state: State = State.READY) -> None:
        config = config_to_wire(ModelConfig(name, SPEC))
        parts: Any = {"config": config, "info": None, "reason": None, "state": state.value}
        self.say("model", number=number, pool=pool, **parts)

    async def ask(self, path: str, method: str = "POST") -> tuple[int, bool]:
        """The status (0: none was sent), and whether the supervisor got the request."""
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"a\n1\n", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        before = len(self.relayed)
        headers = [(b"content-type", b"text/csv"), (b"content-length", b"4")]
        parts = {"raw_path": path.encode(), "query_string": b"", "headers": headers}
        scope = {"type": "http", "method": method, "path": path, **parts}
        await self.app(scope, receive, send)
        return (sent[0]["status"] if sent else 0), len(self.relayed) > before


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Made], Awaitable[None]]], None]:
    def run(scenario: Callable[[Made], Awaitable[None]]) -> None:
        async def main() -> None:
            await asyncio.wait_for(scenario(Made(monkeypatch)), 30)

        asyncio.run(main())

    return run


def test_predictions_of_loaded_models_are_answered_here_and_all_else_is_passed_on(run: Any) -> None:
    async def scenario(made: Made) -> None:
        made.pool(1)
        made.model(1, "loaded", 1, State.UNLOADING)  # a state that refuses at once
        made.model(2, "lazy", 0, State.UNLOADED)
        await asyncio.sleep(0)
        assert await made.ask("/models/loaded/predict/") == (503, False)
        assert await made.ask("/models/lazy/predict/") == (0, True)
        assert await made.ask("/models/loaded/predict/", "GET") == (0, True)
        for path in ("/metrics", "/models/loaded/health/", "/admin/models", "/predict/"):
            assert await made.ask(path) == (0, True)

    run(scenario)


def test_the_only_model_is_at_the_root_too_until_there_is_another(run: Any) -> None:
    async def scenario(made: Made) -> None:
        made.pool(1)
        made.model(1, "one", 1, State.UNLOADING)
        await asyncio.sleep(0)
        assert await made.ask("/predict/") == (503, False)
        assert b"/predict/" in made.app.fast
        made.model(2, "two", 0)
        await asyncio.sleep(0)
        assert await made.ask("/predict/") == (0, True)
        made.say("gone", number=2)
        await asyncio.sleep(0)
        assert await made.ask("/predict/") == (503, False)
        made.say("pool_ended", pool=1)
        await asyncio.sleep(0)
        assert await made.ask("/predict/") == (0, True)
        assert made.app.fast == {}

    run(scenario)


def test_routes_are_made_once_for_all_that_comes_together(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(made: Made) -> None:
        calls: list[int] = []
        refresh = made.app.refresh
        monkeypatch.setattr(made.app, "refresh", lambda: (calls.append(1), refresh()))
        for number in range(1, 101):
            made.pool(number)
            made.model(number, f"m{number}", number)
        await asyncio.sleep(0)
        assert len(calls) == 1
        made.say("model", number=5, state="degraded")  # nothing that a route depends on
        await asyncio.sleep(0)
        assert len(calls) == 1
        assert len(made.host.models) == 100

    run(scenario)


def test_a_pool_that_cannot_be_judged_keeps_no_other_from_it(
    run: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(made: Made) -> None:
        for number in (1, 2):
            made.pool(number, f"m{number}")
        one, two = made.host._pools.values()
        judged: list[float] = []

        def fail(now: float) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(one.dispatcher, "sweep", fail)
        monkeypatch.setattr(two.dispatcher, "sweep", judged.append)
        for now in (1.0, 2.0):
            made.host.sweep(now)
        assert judged == [1.0, 2.0]
        assert "model m1: its requests could not be judged" in caplog.text

    run(scenario)


def test_no_client_is_let_in_before_the_keys_that_hold_now_have_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A front may be forked long after the keys of its start were revoked."""
    seen: list[list[str]] = []

    async def serve_clients(
        app: Any, settings: Any, access: Any, sock: Any, stop: Any, count: Any
    ) -> None:
        seen.append([key.name for _, key in access.keys._keys])
        await stop.wait()

    monkeypatch.setattr(module, "serve_clients", serve_clients)

    async def main() -> None:
        ours, theirs = socket.socketpair()
        ended = asyncio.Event()
        supervisor = Channel(ours, "front", lambda message, fd: None, ended.set)
        old = replace(SETTINGS, keys=(ApiKey("old", "00" * 32),))
        front = FrontProcess(old, 0, SharedCounts(writers=3), "/nowhere")
        listening = socket.socket()
        serving = asyncio.ensure_future(front.serve(listening, theirs))
        for _ in range(10):
            await asyncio.sleep(0)
        assert seen == []
        new = {"name": "new", "sha256": "11" * 32, "role": "predict", "models": []}
        supervisor.send({"what": "access", "access": {"keys": [new], "tls": None}})
        supervisor.send({"what": "begin"})
        await until(lambda: seen)
        assert seen == [["new"]]
        supervisor.send({"what": "stop"})
        await asyncio.wait_for(serving, 20)
        await asyncio.wait_for(ended.wait(), 20)
        supervisor.close()
        listening.close()

    asyncio.run(main())


def test_a_front_ends_with_its_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        front = FrontProcess(SETTINGS, 0, SharedCounts(writers=3), "/nowhere")
        with socket.socket() as listening:
            serving = asyncio.ensure_future(front.serve(listening, theirs))
            await asyncio.sleep(0)
            ours.close()
            await asyncio.wait_for(serving, 20)

    asyncio.run(main())
