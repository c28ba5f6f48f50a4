"""A model in the test's own process: the codecs over a real predictor, under the real routes."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, cast

import httpx
from support.fake_model import FakeHost, FakeModel

from polyhost.codecs import Answer, Request, dispatch
from polyhost.data.target import Target, TargetType
from polyhost.errors import ModelError, PolyhostError
from polyhost.host.request import Body, Pending, Result, Waiter
from polyhost.host.spool import Spool
from polyhost.host.stream import ReplyStream
from polyhost.pipeline.pipeline import Pipeline, open_predictor
from polyhost.predictor import ModelSpec
from polyhost.server.app import Application, build
from polyhost.settings import ServerSettings

Reply = httpx.Response


class DirectModel(FakeModel):
    """Answers with what a predictor does, as a worker of its would."""

    def __init__(self, name: str, predictor: Pipeline, spec: ModelSpec) -> None:
        super().__init__(name, spec=spec)
        self.predictor = predictor
        self.info = predictor.info

    def submit(self, meta: bytes, body: Body, retry: bool, waiter: Waiter | None = None) -> Pending:
        assert waiter is not None
        data = body.read() if isinstance(body, Spool) else body
        self.seen.append((json.loads(meta), data))
        pending = Pending(len(self.seen), meta, body, retry, waiter)
        asyncio.get_running_loop().call_soon(self._answer_with, pending, data)
        return pending

    def answer(self, request: Request, body: bytes) -> Answer:
        """What the worker's codecs make of a body."""
        return dispatch.answer(self.predictor, request, body)

    def _answer_with(self, pending: Pending, data: bytes) -> None:
        try:
            request = Request.from_wire(json.loads(pending.meta))
            found = self.answer(request, data)
            head = {
                "status": found.status,
                "type": found.content_type,
                "headers": dict(found.headers),
            }
            pending.waiter.set_result(self._result(pending, found, json.dumps(head).encode()))
        except PolyhostError as error:
            pending.waiter.set_exception(error)
        except Exception as error:
            pending.waiter.set_exception(ModelError(f"{type(error).__name__}: {error}"))
        pending.release()

    def _result(self, pending: Pending, found: Answer, head: bytes) -> Result:
        if isinstance(found.body, bytes):
            return Result(head, found.body, None, None)
        stream = pending.stream = ReplyStream(lambda size: None)
        for chunk in found.body:
            stream.push(chunk)
        stream.finish()
        return Result(head, b"", None, stream)


def direct(
    folder: Path,
    content: object,
    target: Target | TargetType = TargetType.REGRESSION,
    name: str = "m",
    options: Mapping[str, Any] | None = None,
) -> DirectModel:
    """The model of a custom file's text, or of a scikit-learn model that is pickled into the folder."""
    if isinstance(target, TargetType):
        target = Target(target)
    folder.mkdir(parents=True, exist_ok=True)
    custom: Path | None = None
    artifacts: tuple[Path, ...] = ()
    if isinstance(content, str):
        custom = Path("custom.py")
        (folder / custom).write_text(content, encoding="utf-8")
    else:
        artifacts = (Path("model.pkl"),)
        (folder / "model.pkl").write_bytes(pickle.dumps(content))
    spec = ModelSpec(folder, "python", target, custom, artifacts, options or {})
    return DirectModel(name, open_predictor(spec), spec)


def application(*models: DirectModel, settings: ServerSettings | None = None) -> Application:
    """The routes of a server over such models."""
    host = FakeHost(*models)
    return build(cast(Any, host), settings or ServerSettings())


def ask(app: Application, talk: Callable[[httpx.AsyncClient], Coroutine[Any, Any, Reply]]) -> Reply:
    """What a client gets that has the application to itself."""

    async def run() -> Reply:
        transport = httpx.ASGITransport(cast(Any, app))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await talk(client)

    return asyncio.run(run())


def post(app: Application, path: str, body: bytes | str | Any, **headers: str) -> Reply:
    """One POST; what is neither bytes nor text is sent as JSON. ``content_type="text/csv"`` is a
    header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if not isinstance(body, bytes | str):
        body = json.dumps(body)
        named.setdefault("content-type", "application/json")
    return ask(app, lambda client: client.post(path, content=body, headers=named))


def get(app: Application, path: str, **headers: str) -> Reply:
    """One GET."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(app, lambda client: client.get(path, headers=named))
