"""Models behind workers for programs that run no event loop: a host on a thread of its own.

The thread starts with the first model and ends with the last; workers live as long as it does.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import json
import logging
import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Coroutine, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from polyhost.codecs import Request
from polyhost.codecs.native import ARROW, decode_scores, decode_table, encode_table
from polyhost.data.payload import Payload, Scores, Table
from polyhost.embed.model import LoadedModel
from polyhost.errors import PolyhostError, WorkerNotReady
from polyhost.formats import arrow
from polyhost.host.host import Host
from polyhost.host.model_slot import ModelSlot
from polyhost.host.pool import Output
from polyhost.host.request import Result
from polyhost.host.spool import Budget, Spool
from polyhost.predictor import ModelSpec
from polyhost.settings import OWN_ENVIRONMENTS, ModelConfig
from polyhost.wire.frames import SPOOL_THRESHOLD, dumps

logger = logging.getLogger(__name__)

T = TypeVar("T")

STOP_WITHIN = 5.0
"""Seconds that a closing model may still take."""


@dataclass(frozen=True)
class HostOptions:
    """What the first model says about the host of this process.

    ``warm``: workers are forked from warm parents. Their host is a subreaper, which a command of
    ours may be and a user's program is not. ``on_output`` gets what models print, which is logged
    otherwise. ``environment``: variables for the workers.
    """

    warm: bool = False
    on_output: Optional[Output] = None
    environment: Mapping[str, str] = field(default_factory=dict)


IN_A_PROGRAM = HostOptions()


class _Background:
    """The one host of this process, and the thread that its event loop runs on."""

    def __init__(self, options: HostOptions) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="polyhost", daemon=True)
        self._thread.start()
        self.host = self.run(self._make(options))
        self.models = 0

    async def _make(self, options: HostOptions) -> Host:
        host = Host(options.on_output or _log_output, warm=options.warm, adopt=options.warm)
        await host.start(())
        return host

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the loop; called from any other thread."""
        return self.submit(work).result()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin to run on the loop; called from any other thread. A forked process has no such
        loop."""
        if os.getpid() != self._process:
            work.close()
            raise WorkerNotReady(
                "this process was forked from the one that loaded the model, whose threads it does "
                "not have. Load the model in the forked process too."
            )
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        self.run(self.host.stop(STOP_WITHIN))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _log_output(model: str, stream: str, data: bytes, pid: int, request: str) -> None:
    if data:
        logger.info("%s %s: %s", model, stream, data.decode("utf-8", "replace").rstrip())


_lock = threading.Lock()
_background: Optional[_Background] = None
_numbers = itertools.count(1)
_open: List[BackgroundModel] = []


def _enter(model: BackgroundModel, options: HostOptions) -> _Background:
    global _background
    with _lock:
        if _background is None:
            _background = _Background(options)
        _open.append(model)
        return _background


def _leave(model: BackgroundModel) -> None:
    global _background
    with _lock:
        if model not in _open:
            return
        _open.remove(model)
        if not _open and _background is not None:
            _background.stop()
            _background = None


def _forget() -> None:
    """In a forked process: the models are the parent's, and so are the host and its thread."""
    global _background, _lock
    _lock = threading.Lock()  # another thread of the parent may have held the old one
    _background = None
    _open.clear()


os.register_at_fork(after_in_child=_forget)


@atexit.register
def _close_all() -> None:
    for model in tuple(_open):
        model.close()


class BackgroundModel(LoadedModel):
    """A model in a worker process."""

    def __init__(
        self,
        spec: ModelSpec,
        python: Optional[str] = None,
        workers: int = 1,
        options: HostOptions = IN_A_PROGRAM,
    ) -> None:
        name = f"{spec.code_dir.name or 'model'}-{next(_numbers)}"
        path = None if python in OWN_ENVIRONMENTS else python
        hosted = ModelConfig(
            name,
            spec,
            python=path,
            workers=workers,
            env=python,
            own_environment=True,
            environment=options.environment,
        )
        self.workers = workers
        self._name = name
        self._background = _enter(self, options)
        try:
            self._background.run(self._background.host.start([hosted]))
            self._pool: ModelSlot = self._background.host.models[name]
            self.info = self._ready()
            if options.warm:
                self._background.run(self._end_warm_parents())
        except BaseException:
            self.close()
            raise

    async def _end_warm_parents(self) -> None:
        self._background.host.end_warm_parents()

    def _ready(self) -> Any:
        if self._pool.reason is not None:
            raise self._pool.reason
        if self._pool.info is None:
            raise WorkerNotReady(f"model {self._name!r} did not become ready.")
        return self._pool.info

    def close(self) -> None:
        """End the worker; the last model to close ends the host too."""
        if self not in _open:
            return  # closed already, or the parent's
        pool = self._background.host.models.pop(self._name, None)
        if pool is not None:
            self._background.run(pool.stop(STOP_WITHIN))
        _leave(self)

    def _predict(self, request: Union[Payload, Table]) -> Scores:
        return decode_scores(*self._ask("predict", request))

    def _transform(self, request: Union[Payload, Table]) -> Table:
        return decode_table(*self._ask("transform", request))

    def _answer(self, payload: Payload, content_type: str) -> Tuple[bytes, str]:
        found, body = self._send("unstructured", payload.bytes(), content_type, payload.query)
        return body, found

    def _ask(self, op: str, request: Union[Payload, Table]) -> Tuple[str, bytes]:
        if isinstance(request, Table):
            content_type, body = encode_table(request)
        else:
            content_type, body = request.mimetype, request.bytes()
        return self._send(op, body, content_type)

    def _send(
        self, op: str, body: bytes, content_type: str, query: Tuple[Tuple[str, str], ...] = ()
    ) -> Tuple[str, bytes]:
        accept = ARROW if arrow.available() else ""
        request = Request(op, "native", content_type, accept, query)
        answer, found = self._submit(request, (body,), retry=op != "unstructured").result()
        return str(answer["type"]), found

    def submit(
        self, request: Request, pieces: Sequence[bytes], retry: bool = True
    ) -> Future[Tuple[Any, bytes]]:
        """Have a body, given in pieces, answered by whichever worker is free.

        The answer is its meta and its body. Where the worker dies of it, it is tried once more,
        unless ``retry`` is False.
        """
        return self._submit(request, pieces, retry=retry)

    def _workers(self) -> BackgroundModel:
        return self

    def _submit(
        self, request: Request, pieces: Sequence[bytes], *, retry: bool
    ) -> Future[Tuple[Any, bytes]]:
        meta = dumps(request.to_wire())
        return self._background.submit(self._exchange(meta, pieces, retry=retry))

    async def _exchange(
        self, meta: bytes, pieces: Sequence[bytes], *, retry: bool
    ) -> Tuple[Any, bytes]:
        carried = _carried(pieces, self._background.host.budget)
        try:
            pending = self._pool.submit(meta, carried, retry)
        except PolyhostError:
            if isinstance(carried, Spool):
                carried.close()
            raise
        try:
            result = await pending.future
        except asyncio.CancelledError:
            self._pool.cancel(pending)
            raise
        return json.loads(result.meta), await _whole(result)


def _carried(pieces: Sequence[bytes], budget: Budget) -> Union[bytes, Spool]:
    """A body as it crosses to the worker."""
    if sum(map(len, pieces)) <= SPOOL_THRESHOLD:
        return b"".join(pieces)
    spool = Spool(budget)
    try:
        for piece in pieces:
            spool.write(piece)
    except PolyhostError:
        spool.close()
        raise
    return spool


async def _whole(result: Result) -> bytes:
    if result.stream is not None:
        return b"".join([chunk async for chunk in result.stream])
    if result.fd is None:
        return result.body
    with os.fdopen(result.fd, "rb") as file:
        file.seek(0)
        return file.read()
