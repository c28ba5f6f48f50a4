"""DRUM's routes: the host half of its protocol, one set for each model."""

from __future__ import annotations

from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Tuple
from urllib.parse import parse_qsl

from polyhost.codecs import Request, accept
from polyhost.data.target import TargetType
from polyhost.errors import InvalidInput, PolyhostError, WrongEndpoint
from polyhost.server.auth import guarded
from polyhost.server.call.head import RequestHead
from polyhost.server.call.route import Route, Service, Shape
from polyhost.server.call.served_model import Served
from polyhost.server.dialects import drum_operations
from polyhost.server.dialects.answers import (
    JSON,
    common_headers,
    drum_error,
    dump,
    error_body,
    headers_of_id,
    invocations_error,
)
from polyhost.server.dialects.drum_probes import Probes
from polyhost.server.dialects.mlflow import is_saved
from polyhost.server.dialects.samples import with_samples
from polyhost.server.http.asgi import Receive, Scope, Send, respond
from polyhost.server.http.endpoint import Endpoint, calling
from polyhost.server.watch.stats import Timings
from polyhost.wire.frames import dumps

_NO_SAMPLES = InvalidInput(
    "Samples should be provided as:   - a csv or mtx under `X` form-data param key.  - binary data"
)
_EMPTY = InvalidInput(
    "the body is empty, or a form, which holds no rows. Send CSV with "
    "`curl ADDRESS -H 'Content-Type: text/csv' --data-binary @rows.csv`, or JSON with "
    '`-H \'Content-Type: application/json\' -d \'{"dataframe_split": {"columns": [...], '
    '"data": [...]}}\'`: without a Content-Type of yours curl names a form'
)
FORM = "application/x-www-form-urlencoded"
ROUTES_OF = {
    "predict": ("/predict/", "/predictions/", "/invocations"),
    "transform": ("/transform/",),
    "unstructured": ("/predictUnstructured/", "/predictionsUnstructured/"),
}


class DrumRoutes:
    """DRUM's routes over one model."""

    def __init__(self, model: Served, service: Service) -> None:
        self._model = model
        self._service = service
        settings = service.settings
        timings = Timings()
        self._timings = timings if settings.show_perf else None
        self._probes = Probes(model, timings, settings)
        self._empty = _NO_SAMPLES if settings.drum else _EMPTY
        self._options: Dict[str, Any] = {}
        self._invocations: Dict[str, Any] = {"bare_records": "named"}
        """Of ``/invocations`` alone: what MLflow 1's and SageMaker's clients leave unsaid."""
        self._shape = error_body if settings.drum else invocations_error
        if not settings.drum:
            self._invocations = {"bare_records": "always", "guess_header": True}
        if settings.strict_rows or not settings.drum:
            self._options["strict_rows"] = True
        if settings.deployment_config is not None:
            self._options["deployment_config"] = str(settings.deployment_config)

    def endpoints(self, prefix: str) -> List[Endpoint]:
        """Every route of this model, under a prefix without a slash at its end."""
        probes = guarded(self._probes.endpoints(prefix), self._service.settings, self._model.name)
        found = [
            *probes,
            self._predict(drum_error, f"{prefix}/predict/", f"{prefix}/predictions/"),
            self._invocation(f"{prefix}/invocations"),
            self._transform(f"{prefix}/transform/"),
            self._unstructured(
                f"{prefix}/predictUnstructured/", f"{prefix}/predictionsUnstructured/"
            ),
        ]
        if is_saved(self._model):  # these are MLflow's own there
            others = (f"{prefix}/invocations", f"{prefix}/ping")
            found = [endpoint for endpoint in found if endpoint.path not in others]
        return found

    def _invocation(self, path: str) -> Endpoint:
        """``/invocations``: what the model does, whatever that is; DRUM's own predicts alone."""
        target = self._model.config.spec.target.type
        if not self._service.settings.drum and target is TargetType.UNSTRUCTURED:
            return self._unstructured(path)
        if not self._service.settings.drum and target is TargetType.TRANSFORM:
            return self._transform(path)
        return self._predict(self._shape, path, options=self._invocations)

    def _predict(
        self, shape: Shape, path: str, *aliases: str, options: Mapping[str, Any] = {}
    ) -> Endpoint:
        """The hot route: forward the body, return the body."""
        refusal = self._refusal("predict")
        route = Route(
            self._service,
            self._model,
            path,
            protocol="drum",
            span="drum.invocations",
            meta=partial(self._meta, {}, {**self._options, **options}),
            shape=shape if refusal is None else drum_error,
            common=headers_of_id,
            retry=True,
            empty=self._empty if refusal is None else None,
            is_body=is_no_form,
            refusal=refusal,
            timings=self._timings,
        )
        operation = with_samples(drum_operations.PREDICT, self._model)
        return calling("POST", path, route, "Predict rows", operation, aliases)

    def _transform(self, path: str) -> Endpoint:
        refusal = self._refusal("transform")
        route = Route(
            self._service,
            self._model,
            path,
            protocol="drum",
            span="drum.transform",
            meta=partial(self._full_meta, "transform"),
            shape=drum_error,
            common=headers_of_id,
            retry=True,
            empty=self._empty if refusal is None else None,
            is_body=is_no_form,
            refusal=refusal,
            timings=self._timings,
        )
        operation = with_samples(drum_operations.TRANSFORM, self._model)
        return calling("POST", path, route, "Transform rows", operation)

    def _unstructured(self, path: str, *aliases: str) -> Endpoint:
        route = Route(
            self._service,
            self._model,
            path,
            protocol="drum",
            span="drum.predictUnstructured",
            meta=partial(self._full_meta, "unstructured"),
            shape=drum_error,
            common=headers_of_id,
            refusal=self._refusal("unstructured"),
            timings=self._timings,
        )
        summary = "Answer a body of any kind"
        return calling("POST", path, route, summary, drum_operations.UNSTRUCTURED, aliases)

    def _meta(
        self,
        known: Dict[Tuple[str, bytes], bytes],
        options: Mapping[str, Any],
        head: RequestHead,
    ) -> bytes:
        """The request's meta for structured bodies of this type; equal ones may share a batch."""
        key = (head.content_type, head.get(b"accept"))
        meta = known.get(key)
        if meta is None:
            form = self._form(head)
            meta = dumps(Request("predict", "drum", key[0], form, options=options).to_wire())
            if len(known) > 64:
                known.clear()
            known[key] = meta
        return meta

    def _form(self, head: RequestHead, default: str = accept.JSON) -> str:
        """The form of an answer; DRUM's own server does not look at what its clients accept."""
        accepted = head.get(b"accept").decode("latin-1")
        strict = not self._service.settings.drum
        return accept.form_of(accepted, head.content_type, default, strict)

    def _full_meta(self, op: str, head: RequestHead) -> bytes:
        """The meta for a model's own code, which sees the query and the headers."""
        query = parse_qsl(head.query.decode("latin-1"), keep_blank_values=True)
        request = Request(
            op,
            "drum",
            head.content_type,
            self._form(head, accept.FORM) if op == "transform" else "",
            query=tuple(query),
            headers=head.for_model(keys=self._service.keys.asked_for),
            options=self._options,
        )
        return dumps(request.to_wire())

    def _refusal(self, op: str) -> Optional[PolyhostError]:
        """Why a model of this target type has no such operation; None when it has."""
        target = self._model.config.spec.target.type
        if _serves(target, op):
            return None
        right = (
            "transform"
            if target is TargetType.TRANSFORM
            else "unstructured"
            if target is TargetType.UNSTRUCTURED
            else "predict"
        )
        shown = f"'{target.value}'" if op == "predict" else f"TargetType.{target.name}"
        routes = " or ".join(ROUTES_OF[right])
        return WrongEndpoint(f"This model has target type {shown}, use the {routes} endpoint.")


def _serves(target: TargetType, op: str) -> bool:
    if op == "predict":
        return target.is_structured
    if op == "transform":
        return target is TargetType.TRANSFORM
    return target in (TargetType.UNSTRUCTURED, TargetType.TEXT_GENERATION)


def is_no_form(content_type: str) -> bool:
    """Whether a body of this type may hold rows: a form of DRUM's clients does not."""
    return not content_type.startswith(FORM)


def error_endpoints(prefix: str, failure: Optional[PolyhostError]) -> List[Endpoint]:
    """The error server: a failed start is reported with 513 on the routes that clients poll."""
    text = failure.message if failure is not None else "the model failed to load"
    body = dump({"message": f"ERROR: {text}"})

    async def report(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 513, JSON, body, common_headers(scope))

    get = ["/", "/ping/", "/ping", "/health/", "/health"]
    post = ["/transform/", *ROUTES_OF["predict"], *ROUTES_OF["unstructured"]]
    return [Endpoint("GET", prefix + path, report, "The start failed") for path in get] + [
        Endpoint("POST", prefix + path, report, "The start failed") for path in post
    ]


BACKENDS = ("/directAccess/", "/nim/")
"""Below these DRUM hands requests on to a model server that runs beside it; here is none."""


async def no_backend(scope: Scope, receive: Receive, send: Send) -> None:
    """Report that there is no model server to hand the request on to."""
    text = "this model has no model server behind it that could be accessed directly."
    known = scope["method"] in ("GET", "HEAD", "POST", "PUT")
    body = dump({"message": f"ERROR: {text}"})
    await respond(send, 400 if known else 405, JSON, body, common_headers(scope))
