"""What answers the methods of V2's gRPC service: a thin adapter over calls, and over routes."""

from __future__ import annotations

import asyncio
import json
import os
from typing import (
    Any,
    Awaitable,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NoReturn,
    Optional,
    Sequence,
    Tuple,
)
from urllib.parse import quote

import grpc

from polyhost.codecs.v2.rpc import names_in
from polyhost.errors import InvalidInput, PolyhostError
from polyhost.server.call.head import Header, RequestHead
from polyhost.server.call.outcome import Outcome
from polyhost.server.call.route import Route
from polyhost.server.grpc.facts import METHODS, SERVICE, Method, Question, place_of, text_of
from polyhost.server.http.asgi_call import AsgiCall
from polyhost.server.http.request_id import chosen_id

INFER = f"/{SERVICE}/ModelInfer"
INFER_SUFFIX = "/infer/message"
"""Where the route of a model lies that takes the message of a ModelInferRequest."""
AT_ONCE = 1 << 20
"""Bytes of the largest answer in a file that is read on the event loop."""
_DROPPED = frozenset(
    (
        *(b"content-type", b"content-length", b"content-encoding", b"accept-encoding"),
        *(b"transfer-encoding", b"connection", b"te", b"host", b"expect"),
    )
)
"""Headers of an HTTP request that mean something else where a gRPC client sends them."""
_Codes = grpc.StatusCode
CODES: Mapping[int, grpc.StatusCode] = {
    401: _Codes.UNAUTHENTICATED,
    403: _Codes.PERMISSION_DENIED,
    404: _Codes.NOT_FOUND,
    405: _Codes.UNIMPLEMENTED,
    409: _Codes.ABORTED,
    413: _Codes.RESOURCE_EXHAUSTED,
    429: _Codes.RESOURCE_EXHAUSTED,
    499: _Codes.CANCELLED,
    501: _Codes.UNIMPLEMENTED,
    503: _Codes.UNAVAILABLE,
    504: _Codes.DEADLINE_EXCEEDED,
    507: _Codes.RESOURCE_EXHAUSTED,
}
"""By the status that the same error has over HTTP; of others 4xx is INVALID_ARGUMENT."""
Context = Any


def code_of(status: int) -> grpc.StatusCode:
    """The code of an error that has this status over HTTP."""
    found = CODES.get(status)
    if found is not None:
        return found
    return _Codes.INVALID_ARGUMENT if 400 <= status < 500 else _Codes.INTERNAL


class Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers over an application: its table for inferences, its routes for everything else."""

    def __init__(self, app: Any, prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._methods = {INFER: grpc.unary_unary_rpc_method_handler(self._infer)}
        for name, method in METHODS.items():
            self._methods[name] = grpc.unary_unary_rpc_method_handler(self._telling(method))

    def service(self, details: Any) -> Optional[Any]:
        """The handler of a method; None where there is none."""
        return self._methods.get(details.method)

    # Inference

    async def _infer(self, message: bytes, context: Context) -> bytes:
        headers, id = _head_of(context)
        try:
            path = self._prefix + place_of(*names_in(message)) + INFER_SUFFIX
        except InvalidInput as error:
            await context.abort(_Codes.INVALID_ARGUMENT, error.message)
        endpoint = self._app.endpoint(path, "POST")
        if endpoint is None or endpoint.route is None:  # not loaded here, or not known at all
            status, body = await self._ask("POST", path, message, headers)
            return await _answer(context, status, body)
        head = RequestHead("POST", path, b"", headers, id)
        return await self._call(endpoint.route, head, message, context)

    async def _call(self, route: Route, head: RequestHead, body: bytes, context: Context) -> bytes:
        call = AsgiCall(route, head)
        try:
            if call.open() and call.add(body):
                call.finish()
            outcome = await call.wait()
            if outcome is None:
                return await _answer(context, 499, b"the server ends, or the client has left")
            try:
                found = await _bytes_of(outcome)
            except PolyhostError as error:  # a stream that broke off
                outcome = route.failed(error, "")
                found = outcome.body
            call.close(outcome.status)
            return await _answer(context, outcome.status, found, outcome.head.headers)
        except asyncio.CancelledError:
            call.leave()
            raise
        finally:
            call.close(0)

    # Everything else

    def _telling(self, method: Method) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def answer(message: bytes, context: Context) -> bytes:
            headers, _ = _head_of(context)
            try:
                question = method.ask(message)
            except InvalidInput as error:
                await context.abort(_Codes.INVALID_ARGUMENT, error.message)
            status, body = await self._ask_about(question, headers)
            if status not in question.answers:
                await _fail(context, status, body)
            return method.tell(status, json.loads(body or b"{}"))

        return answer

    async def _ask_about(self, question: Question, headers: List[Header]) -> Tuple[int, bytes]:
        body = b"" if question.body is None else json.dumps(question.body).encode()
        path = self._prefix + question.path
        return await self._ask(question.method, path, body, headers)

    async def _ask(
        self, method: str, path: str, body: bytes, headers: List[Header]
    ) -> Tuple[int, bytes]:
        """Status and body of a request to the application."""
        exchange = _Exchange(body)
        length = (b"content-length", b"%d" % len(body))
        scope: Dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [*headers, (b"host", b"localhost"), length],
            "client": None,
            "server": None,
        }
        await self._app(scope, exchange.receive, exchange.send)
        return exchange.status, b"".join(exchange.body)


class _Exchange:
    """The two ends of one request to an ASGI application in this process."""

    def __init__(self, body: bytes) -> None:
        self._request: Iterator[bytes] = iter((body,))
        self.status = 500
        self.body: List[bytes] = []

    async def receive(self) -> Dict[str, Any]:
        body = next(self._request, None)
        if body is None:
            await asyncio.get_running_loop().create_future()  # the client stays
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body.append(message.get("body", b""))


def _head_of(context: Context) -> Tuple[List[Header], bytes]:
    """The metadata of a request as headers, and its id, which the answer has too."""
    headers = [
        (key.encode(), value.encode("latin-1", "replace") if isinstance(value, str) else value)
        for key, value in context.invocation_metadata() or ()
        if not key.endswith("-bin") and not key.startswith("grpc-")
    ]
    headers = [pair for pair in headers if pair[0] not in _DROPPED]
    id = chosen_id(headers)
    context.set_trailing_metadata((("x-request-id", id.decode("latin-1")),))
    return [pair for pair in headers if pair[0] != b"x-request-id"] + [(b"x-request-id", id)], id


async def _bytes_of(outcome: Outcome) -> bytes:
    """The whole body of an answer."""
    if outcome.stream is not None:
        return b"".join([chunk async for chunk in outcome.stream])
    if outcome.fd is None:
        return outcome.body
    try:
        size = os.fstat(outcome.fd).st_size
        if size <= AT_ONCE:
            return os.pread(outcome.fd, size, 0)
        return await asyncio.to_thread(_read, outcome.fd, size)
    finally:
        outcome.drop()


def _read(fd: int, size: int) -> bytes:
    found = bytearray(size)
    view, at = memoryview(found), 0
    while at < size:
        count = os.preadv(fd, [view[at:]], at)
        if not count:
            raise OSError(f"an answer of {size} bytes ends after {at}")
        at += count
    return bytes(found)


async def _answer(
    context: Context, status: int, body: bytes, headers: Sequence[Header] = ()
) -> bytes:
    if status != 200:
        await _fail(context, status, body, headers)
    return body


async def _fail(
    context: Context, status: int, body: bytes, headers: Sequence[Header] = ()
) -> NoReturn:
    """End a request with the error that this answer over HTTP is."""
    retry = [("retry-after", value.decode()) for name, value in headers if name == b"retry-after"]
    trailing = (*(context.trailing_metadata() or ()), *retry)
    await context.abort(code_of(status), text_of(body), trailing)
    raise AssertionError("abort raises")
