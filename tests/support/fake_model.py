"""A model without a worker, whose answers are scripted by the bodies that it gets."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from polyhost.data.target import Target, TargetType
from polyhost.errors import (
    GuestStatus,
    InvalidInput,
    ModelError,
    PolyhostError,
    SchemaViolation,
    WorkerBusy,
    WorkerCrashed,
    WorkerNotReady,
    WorkerTimeout,
)
from polyhost.host.pool import State
from polyhost.host.request import Body, Pending, Result, Waiter
from polyhost.host.spool import Budget, Spool
from polyhost.host.stream import ReplyStream
from polyhost.predictor import ModelSpec
from polyhost.server.call.call import Call
from polyhost.server.call.head import RequestHead
from polyhost.server.call.keys import Keys
from polyhost.server.call.outcome import Outcome
from polyhost.server.call.route import Route, Service
from polyhost.server.dialects.answers import drum_error
from polyhost.server.watch.instrument import Instruments
from polyhost.settings import Limits, ModelConfig, ServerSettings

SPEC = ModelSpec(Path("/somewhere/m"), "python", Target(TargetType.REGRESSION))
MAX_BODY = 1 << 20


def meta(status: int = 200, kind: str = "application/json", **headers: str) -> bytes:
    """The meta of a worker's reply."""
    return json.dumps({"status": status, "type": kind, "headers": headers}).encode()


ERRORS: dict[str, PolyhostError] = {
    "invalid input": InvalidInput("column 'a' is missing"),
    "model error": ModelError("ValueError at custom.py:7", native_traceback="Traceback"),
    "schema": SchemaViolation("not as declared", is_schema_validation_error=True),
    "model status": GuestStatus("I am a teapot", status=418),
    "model status 204": GuestStatus("", status=204),
    "worker death": WorkerCrashed("the worker ended with signal 9", exit_code=-9),
    "deadline": WorkerTimeout("no answer within 3 s", deadline=3.0),
}
REFUSALS: dict[str, PolyhostError] = {
    "queue full": WorkerBusy("200 requests wait", retry_after=1),
    "not ready": WorkerNotReady("model 'm' is loading", retry_after=1),
    "failed": WorkerNotReady("model 'm' failed to load", cause="LoadError"),
}
RESULTS: dict[str, Callable[[], Result]] = {
    "answer": lambda: Result(meta(), b'{"predictions":[1.0]}', None, None),
    "empty": lambda: Result(meta(), b"", None, None),
    "headers": lambda: Result(meta(kind="text/csv", **{"X-One": "1"}), b"a\n1\n", None, None),
    "status 201": lambda: Result(meta(201), b"made", None, None),
    "status 204": lambda: Result(meta(204), b"dropped", None, None),
    "status 205": lambda: Result(meta(205), b"dropped", None, None),
    "status 304": lambda: Result(meta(304), b"dropped", None, None),
    "large answer": lambda: Result(meta(), b"x" * 3_000_000, None, None),
    "packed": lambda: Result(meta(), b"z" * 2000, None, None),
    "file": lambda: Result(meta(kind="text/csv"), b"", _file(b"y" * 700_000), None),
    "empty file": lambda: Result(meta(kind="text/csv"), b"", _file(b""), None),
    "file without a body": lambda: Result(meta(204), b"", _file(b"dropped"), None),
}


def _file(data: bytes) -> int:
    fd = os.memfd_create("answer")
    os.write(fd, data)
    return fd


def _word(dialect: str | None, text: str) -> str:
    """The first line of a body; of a message of gRPC its id, which stands at the end."""
    if dialect == "v2-grpc":
        return text.rpartition("\x1a")[2][1:]
    return text.partition("\n")[0].strip('"')


class FakeModel:
    """Answers ``answer`` to the body ``answer``, and so on for the keys of the tables above."""

    def __init__(self, name: str = "m", **hosted: Any) -> None:
        self.name = name
        limits = hosted.pop("limits", Limits(max_body=MAX_BODY))
        self.config = ModelConfig(name, hosted.pop("spec", SPEC), limits=limits, **hosted)
        self.state = State.READY
        self.reason: PolyhostError | None = None
        self.info: Any = None
        self.any_ready = True
        self.parked = False
        self.active = self
        self.workers: list[Any] = []
        self.seen: list[tuple[dict[str, Any], bytes]] = []
        self.cancelled: list[Pending] = []

    def submit(self, meta: bytes, body: Body, retry: bool, waiter: Waiter | None = None) -> Pending:
        text = body.read() if isinstance(body, Spool) else body
        word = _word(json.loads(meta).get("dialect"), text.decode("latin-1"))
        if word in REFUSALS:
            raise REFUSALS[word]
        assert waiter is not None
        self.seen.append((json.loads(meta), text))
        pending = Pending(len(self.seen), meta, body, retry, waiter)
        asyncio.get_running_loop().call_soon(self._answer, pending, word)
        return pending

    def _answer(self, pending: Pending, word: str) -> None:
        waiter = pending.waiter
        if waiter.done() or word == "silence":
            return
        if word in ERRORS:
            waiter.set_exception(ERRORS[word])
        elif word.startswith("stream"):
            self._stream(pending, word)
        else:
            waiter.set_result(RESULTS.get(word, RESULTS["answer"])())
        if not word.startswith("stream"):
            pending.release()

    def _stream(self, pending: Pending, word: str) -> None:
        stream = pending.stream = ReplyStream(lambda size: None)
        status = 204 if word == "stream without a body" else 200
        pending.waiter.set_result(Result(meta(status, "text/event-stream"), b"", None, stream))
        stream.push(b"data: 1\n\n")
        stream.push(b"data: 2\n\n")
        if word == "stream that breaks":
            stream.fail(ModelError("the generator failed"))
        elif word != "stream that waits":
            stream.finish(b"data: [DONE]\n\n")
        pending.release()

    def cancel(self, pending: Pending) -> None:
        self.cancelled.append(pending)
        pending.waiter.cancel()
        if pending.stream is not None:
            pending.stream.abandon()
            pending.stream.finish()
        pending.release()


class FakeHost:
    """What the application asks of a host."""

    def __init__(self, *models: FakeModel, budget: int = 1 << 30) -> None:
        self.models = {model.name: model for model in models}
        self.budget = Budget(budget)
        self.on_change: list[Callable[[], None]] = []


class Carried(Call):
    """A call that a test carries, and closes when it has its outcome."""

    outcome: Outcome | None = None

    def deliver(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.close(outcome.status)


def carry(
    watch: Instruments,
    word: str,
    *,
    body: bytes | None = None,
    headers: list[tuple[bytes, bytes]] | None = None,
    protocol: str = "drum",
    leaves: bool = False,
    times: tuple[float, float] = (0.0, 0.0),
) -> Carried:
    """One call of a fake model, over; ``times``: what it waited, and ran."""
    service = Service(ServerSettings(), Budget(), Keys(()), watch)
    route = Route(
        service,
        FakeModel(),
        "/predict/",
        protocol=protocol,
        span="drum.invocations",
        meta=lambda head: b"{}",
        shape=drum_error,
        common=lambda id: [],
    )
    head = RequestHead("POST", "/predict/", b"", headers or [], b"id-1")

    async def run() -> Carried:
        call = Carried(route, head)
        call.waited, call.ran = times
        assert call.open()
        call.add(word.encode() if body is None else body)
        call.finish()
        if leaves:
            call.leave()
        while not call.done():
            await asyncio.sleep(0)
        return call

    return asyncio.run(run())
