"""DRUM's routes: the host half of its protocol, one set for each model."""

from __future__ import annotations

from functools import partial
from typing import Any, Dict, List, Optional
from urllib.parse import parse_qsl

from polyhost.codecs import Request
from polyhost.data.target import TargetType
from polyhost.errors import (
    PolyhostError,
    WrongEndpoint,
)
from polyhost.host.spool import Budget
from polyhost.server.auth import guarded
from polyhost.server.call.call import Forward
from polyhost.server.call.served_model import Served
from polyhost.server.dialects import drum_operations
from polyhost.server.dialects.answers import (
    JSON,
    ErrorShape,
    common_headers,
    drum_error,
    dump,
    error_body,
    headers_of,
    headers_of_id,
)
from polyhost.server.dialects.drum_probes import Probes
from polyhost.server.http.asgi import (
    ClientGone,
    Receive,
    Scope,
    Send,
    Watcher,
    header,
    refuse,
    respond,
)
from polyhost.server.http.endpoint import Endpoint, Handler
from polyhost.server.http.fast_path import FastRoute
from polyhost.server.http.request_id import request_id
from polyhost.server.watch.stats import Timings
from polyhost.settings import ServerSettings
from polyhost.wire.frames import dumps

NO_SAMPLES = (
    "ERROR: Samples should be provided as:   - a csv or mtx under `X` form-data param key."
    "  - binary data"
)
FORM = "application/x-www-form-urlencoded"
ROUTES_OF = {
    "predict": ("/predict/", "/predictions/", "/invocations"),
    "transform": ("/transform/",),
    "unstructured": ("/predictUnstructured/", "/predictionsUnstructured/"),
}


_NO_SAMPLES_BODY = dump({"message": NO_SAMPLES})


class DrumModel:
    """DRUM's routes over one model's pool."""

    def __init__(
        self, pool: Served, settings: ServerSettings, budget: Budget, watcher: Watcher
    ) -> None:
        self._pool = pool
        self._settings = settings
        timings = Timings()
        shown = timings if settings.show_perf else None
        self._probes = Probes(pool, timings)
        self._forward = Forward(pool, budget, watcher, shown, settings.show_stacktrace)
        self._metas: Dict[str, bytes] = {}
        self._options: Dict[str, Any] = {}
        if settings.strict_rows or not settings.drum:
            self._options["strict_rows"] = True
        if settings.deployment_config is not None:
            self._options["deployment_config"] = str(settings.deployment_config)

    def endpoints(self, prefix: str) -> List[Endpoint]:
        """Every route of this model, under a prefix without a slash at its end."""
        return guarded(self._endpoints(prefix), self._settings, self._pool.name)

    def _endpoints(self, prefix: str) -> List[Endpoint]:
        target = self._pool.model.spec.target.type
        return [
            *self._probes.endpoints(prefix),
            self._predict_endpoint(drum_error, f"{prefix}/predict/", f"{prefix}/predictions/"),
            self._predict_endpoint(error_body, f"{prefix}/invocations"),
            Endpoint(
                "POST",
                f"{prefix}/transform/",
                self._handler("transform")
                if target is TargetType.TRANSFORM
                else self._wrong("transform"),
                "Transform rows",
                drum_operations.TRANSFORM,
                protocol="drum",
                span="drum.transform",
            ),
            Endpoint(
                "POST",
                f"{prefix}/predictUnstructured/",
                self._handler("unstructured")
                if target in (TargetType.UNSTRUCTURED, TargetType.TEXT_GENERATION)
                else self._wrong("unstructured"),
                "Answer a body of any kind",
                drum_operations.UNSTRUCTURED,
                aliases=(f"{prefix}/predictionsUnstructured/",),
                protocol="drum",
                span="drum.predictUnstructured",
            ),
        ]

    # Predictions

    def _meta(self, content_type: str) -> bytes:
        """The request's meta for structured bodies of this type; equal ones may share a batch."""
        meta = self._metas.get(content_type)
        if meta is None:
            request = Request("predict", "drum", content_type, options=self._options)
            meta = dumps(request.to_wire())
            if len(self._metas) > 64:
                self._metas.clear()
            self._metas[content_type] = meta
        return meta

    def _fast_meta(self, content_type: str) -> Optional[bytes]:
        return None if content_type.startswith(FORM) else self._meta(content_type)

    def _predict_endpoint(self, shape: ErrorShape, path: str, *aliases: str) -> Endpoint:
        """The hot route: forward the body, return the body."""

        async def predict(scope: Scope, receive: Receive, send: Send) -> None:
            content_type = header(scope, b"content-type")
            meta = self._meta(content_type)
            await self._rows(scope, receive, send, meta, content_type, shape)

        structured = self._pool.model.spec.target.type.is_structured
        return Endpoint(
            "POST",
            path,
            predict if structured else self._wrong("predict"),
            "Predict rows",
            drum_operations.PREDICT,
            aliases=aliases,
            protocol="drum",
            span="drum.invocations",
            fast=FastRoute(self._forward, self._fast_meta, shape, headers_of_id)
            if structured
            else None,
        )

    def _handler(self, op: str) -> Handler:
        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            content_type = header(scope, b"content-type")
            query = scope["query_string"].decode("latin-1")
            request = Request(
                op,
                "drum",
                content_type,
                query=tuple(parse_qsl(query, keep_blank_values=True)),
                headers={"X-Request-Id": request_id(scope).decode(), **headers_of(scope)},
                options=self._options,
            )
            meta = dumps(request.to_wire())
            if op == "transform":
                await self._rows(scope, receive, send, meta, content_type, drum_error)
            else:
                headers = common_headers(scope)
                shape = partial(drum_error, content_type=content_type)
                await self._forward(scope, receive, send, meta, headers, shape)

        return handle

    async def _rows(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        meta: bytes,
        content_type: str,
        shape: ErrorShape,
    ) -> None:
        """Forward a body that must hold rows; it is tried once more when its worker dies."""
        await self._forward(
            scope,
            receive,
            send,
            meta,
            common_headers(scope),
            lambda error: shape(error, content_type),
            retry=True,
            without_body=(422, _NO_SAMPLES_BODY),
            has_body=not content_type.startswith(FORM),
        )

    def _wrong(self, op: str) -> Handler:
        target = self._pool.model.spec.target.type
        right = (
            "transform"
            if target is TargetType.TRANSFORM
            else "unstructured"
            if target is TargetType.UNSTRUCTURED
            else "predict"
        )
        shown = f"'{target.value}'" if op == "predict" else f"TargetType.{target.name}"
        routes = " or ".join(ROUTES_OF[right])
        error = WrongEndpoint(f"This model has target type {shown}, use the {routes} endpoint.")

        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            headers = common_headers(scope)
            try:
                await self._forward.skip(scope, receive)
            except ClientGone:
                return
            except PolyhostError as refusal:
                status, data, extra = error_body(refusal, "")
                await refuse(receive, send, status, data, [*headers, *extra])
                return
            data = dump({"message": f"ERROR: {error.message}"})
            await respond(send, 422, JSON, data, headers)

        return handle


def error_endpoints(prefix: str, failure: Optional[PolyhostError]) -> List[Endpoint]:
    """The error server: a failed start is told with 513 on the routes that clients poll."""
    text = failure.message if failure is not None else "the model failed to load"
    body = dump({"message": f"ERROR: {text}"})

    async def tell(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 513, JSON, body, common_headers(scope))

    get = ["/", "/ping/", "/ping", "/health/", "/health"]
    post = ["/transform/", *ROUTES_OF["predict"], *ROUTES_OF["unstructured"]]
    return [Endpoint("GET", prefix + path, tell, "The start failed") for path in get] + [
        Endpoint("POST", prefix + path, tell, "The start failed") for path in post
    ]


BACKENDS = ("/directAccess/", "/nim/")
"""Below these DRUM hands requests on to a model server that runs beside it; here is none."""


async def no_backend(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell that there is no model server to hand the request on to."""
    text = "this model has no model server behind it that could be accessed directly."
    known = scope["method"] in ("GET", "HEAD", "POST", "PUT")
    body = dump({"message": f"ERROR: {text}"})
    await respond(send, 400 if known else 405, JSON, body, common_headers(scope))
