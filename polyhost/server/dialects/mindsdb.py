"""MindsDB's routes: a model is trained and asked under its own name, both by what its users chose."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List, Mapping, Set, Tuple

from polyhost.codecs import Request
from polyhost.errors import (
    InvalidInput,
    MissingHook,
    PolyhostError,
    SettingsError,
    UnsupportedContentType,
)
from polyhost.host.spool import Budget
from polyhost.server.auth import KEY, guarded
from polyhost.server.call.body_reader import Body, Intake, discard
from polyhost.server.call.content_coding import coding_of, unpacked
from polyhost.server.call.head import Header, RequestHead
from polyhost.server.call.route import Route, Service
from polyhost.server.call.served_model import Served
from polyhost.server.dialects.answers import (
    JSON,
    common_headers,
    drum_error,
    dump,
    headers_of_id,
)
from polyhost.server.dialects.chat import NO_RETRY
from polyhost.server.http.asgi import ClientGone, Receive, Scope, Send, header, read_body, respond
from polyhost.server.http.asgi import refuse as asgi_refuse
from polyhost.server.http.endpoint import Endpoint, Handler, calling
from polyhost.wire.frames import dumps

UNLIMITED = 1 << 62
"""Bytes of a table to train on: what the disk holds."""
_EMPTY = InvalidInput("the body is empty: expected JSON with a table as text in 'df'")
_trainings: Set[asyncio.Task[Any]] = set()


class MindsDbRoutes:
    """The routes of the protocol over one model."""

    def __init__(self, model: Served, service: Service) -> None:
        self._model = model
        self._service = service
        self._deployer = service.deployer
        structured = model.config.spec.target.type.is_structured
        self._served = structured and not service.settings.drum

    def endpoints(self, prefix: str) -> List[Endpoint]:
        """None: the model's name is in all of them."""
        return []

    def named_endpoints(self, prefix: str) -> List[Endpoint]:
        """The routes at the root; training where there is who deploys what it leaves."""
        if not self._served:
            return []
        name = self._model.name
        found = [self._predict(f"{prefix}/{name}/predict")]
        if self._deployer is not None:
            paths = (f"{prefix}/{name}/train", (f"{prefix}/models/{name}/train",))
            train = self._for_trainers(self._train)
            training = [
                Endpoint("POST", paths[0], train, "Train the model", TRAIN, paths[1]),
                Endpoint("GET", paths[0], self._show, "How the training stands", {}, paths[1]),
            ]
            found += guarded(training, self._service.settings, name)
        return found

    def _predict(self, path: str) -> Endpoint:
        metas: Dict[Tuple[str, bytes], bytes] = {}

        def meta(head: RequestHead) -> bytes:
            key = (head.content_type, head.get(b"accept"))
            found = metas.get(key)
            if found is None:
                accept = key[1].decode("latin-1")
                found = dumps(Request("predict", "mindsdb", key[0], accept).to_wire())
                if len(metas) < 64 and "boundary" not in key[0]:
                    metas[key] = found
            return found

        route = Route(
            self._service,
            self._model,
            path,
            protocol="mindsdb",
            span="mindsdb.predict",
            meta=meta,
            shape=shape,
            common=headers_of_id,
            retry=True,
            empty=_EMPTY,
        )
        return calling("POST", path, route, "Predict a table (MindsDB)", PREDICT)

    def _for_trainers(self, handler: Handler) -> Handler:
        """For keys of the role ``admin``: training changes what is served. Without any key, no page
        in a browser may do it."""
        settings = self._service.settings

        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            key = scope.get(KEY)
            text = ""
            if settings.keys and (key is None or key.role != "admin"):
                text = "training needs a key of the role 'admin'"
            elif not settings.keys and header(scope, b"origin"):
                text = "the server has no key, so browsers may not train its models"
            if text:
                body = dump({"status": text, "error": text})
                await asgi_refuse(receive, send, 403, body, common_headers(scope))
            else:
                await handler(scope, receive, send)

        return handle

    async def _train(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Train on the body, however large it is and however long that takes.

        A client that leaves meanwhile does not end it: GET shows how it stands.
        """
        budget = Budget(UNLIMITED)
        try:
            body = await _body(scope, receive, budget)
        except ClientGone:
            return
        except PolyhostError as error:
            status, data, headers = shape(error, "")
            await asgi_refuse(receive, send, status, data, [*common_headers(scope), *headers])
            return
        kind = header(scope, b"content-type")
        work = self._run(kind, body)
        task = asyncio.get_running_loop().create_task(work)
        _trainings.add(task)
        task.add_done_callback(_trainings.discard)
        status, data, headers = await asyncio.shield(task)
        await respond(send, status, JSON, data, [*common_headers(scope), *headers])

    async def _run(self, kind: str, body: Body) -> Tuple[int, bytes, List[Header]]:
        try:
            if not _size(body):
                raise _EMPTY
            meta = dumps(Request("train", "mindsdb", kind).to_wire())
            training = await self._deployer.train(self._model.name, meta, body)
        except PolyhostError as error:
            return shape(error, kind)
        except KeyError:
            return shape(InvalidInput(f"model {self._model.name!r} was unloaded"), kind)
        finally:
            if not isinstance(body, bytes):
                body.close()
        found = training.describe()
        return 200, dump({"status": "ok", "version": found["version"], "rows": found["rows"]}), []

    async def _show(self, scope: Scope, receive: Receive, send: Send) -> None:
        training = self._deployer.trainings.last(self._model.name)
        body = {"status": "none"} if training is None else training.describe()
        await respond(send, 200, JSON, dump(body), common_headers(scope))


async def _body(scope: Scope, receive: Receive, budget: Budget) -> Body:
    body = await read_body(receive, budget)
    coded = header(scope, b"content-encoding")
    try:
        coding = coding_of(coded.encode("latin-1")) if coded else ""
    except PolyhostError:
        discard(body, budget)
        raise
    return await unpacked(body, coding, Intake(budget, None), budget) if coding else body


def _size(body: Body) -> int:
    return len(body) if isinstance(body, bytes) else body.size


def shape(error: PolyhostError, content_type: str) -> Tuple[int, bytes, List[Header]]:
    """An error as both handlers read it: a JSON object with ``status``, and without ``prediction``."""
    status, _, headers = drum_error(error, content_type)
    if isinstance(error, UnsupportedContentType):
        status = 415
    elif isinstance(error, (MissingHook, SettingsError)) or status == 422:
        status = 400
    if status == 500:
        headers.append(NO_RETRY)
    return status, dump({"status": error.message, "error": error.message}), headers


_TABLE: Mapping[str, Any] = {
    "type": "object",
    "required": ["df"],
    "properties": {
        "df": {"description": "records, or an object of columns, as JSON text"},
        "target": {"type": "string"},
        "args": {"type": "object"},
        "pred_args": {"type": "object"},
    },
}
_FORM: Mapping[str, Any] = {
    "type": "object",
    "required": ["df"],
    "properties": {"df": {"type": "string", "format": "binary"}},
}
_BODY = {
    "required": True,
    "content": {"application/json": {"schema": _TABLE}, "multipart/form-data": {"schema": _FORM}},
}
_ANSWER = {"application/json": {"schema": {"type": "object"}}}
_ERRORS = {
    "400": {"description": "the table cannot be used, or nothing trains: `status` says why"},
    "415": {"description": "the body is neither JSON nor a form"},
    "500": {"description": "the model's own code failed: `status` says where"},
}
PREDICT: Mapping[str, Any] = {
    "requestBody": _BODY,
    "responses": {
        "200": {"description": "columns of one length", "content": _ANSWER},
        **_ERRORS,
        "503": {"description": "the model is not ready"},
    },
}
TRAIN: Mapping[str, Any] = {
    "requestBody": _BODY,
    "responses": {
        "200": {"description": "the trained model answers now", "content": _ANSWER},
        **_ERRORS,
        "409": {"description": "another training of this model runs"},
        "403": {"description": "the key may not train, or a page in a browser asks"},
        "413": {"description": "the table is too large for this host"},
        "507": {"description": "the disk is full"},
    },
}
