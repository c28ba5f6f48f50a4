"""SageMaker's and Databricks' addresses of ``/invocations``, and what batch transform asks."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Iterable, Iterator, List, Mapping

from polyhost.server.call.route import Service
from polyhost.server.call.served_model import Served
from polyhost.server.dialects.answers import JSON, common_headers, dump
from polyhost.server.http.asgi import Receive, Scope, Send, respond
from polyhost.server.http.endpoint import Endpoint

MOST_MEGABYTES = 100
"""SageMaker's own limit for a piece of a batch."""


def further_addresses(found: Iterable[Endpoint], name: str, prefix: str) -> Iterator[Endpoint]:
    """A model's ``/invocations`` under the paths that SageMaker's and Databricks' callers ask."""
    for endpoint in found:
        if endpoint.method == "POST" and endpoint.path == f"{prefix}/models/{name}/invocations":
            for path in (f"/models/{name}/invoke", f"/serving-endpoints/{name}/invocations"):
                yield replace(endpoint, path=prefix + path, aliases=())


def root_routes(models: Mapping[str, Served], service: Service) -> List[Endpoint]:
    """What batch transform asks before it begins."""
    settings = service.settings
    if settings.drum:
        return []

    async def execution_parameters(scope: Scope, receive: Receive, send: Send) -> None:
        limits = [model.config.limits.max_body for model in models.values()]
        smallest = min([limit for limit in limits if limit is not None], default=None)
        megabytes = MOST_MEGABYTES if smallest is None else max(1, smallest >> 20)
        workers = sum(model.config.workers for model in models.values())
        body = {
            "MaxConcurrentTransforms": _asked("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", workers),
            "BatchStrategy": os.environ.get("SAGEMAKER_BATCH_STRATEGY") or "MULTI_RECORD",
            "MaxPayloadInMB": _asked("SAGEMAKER_MAX_PAYLOAD_IN_MB", min(megabytes, MOST_MEGABYTES)),
        }
        await respond(send, 200, JSON, dump(body), common_headers(scope))

    path = f"{settings.url_prefix}/execution-parameters"
    return [Endpoint("GET", path, execution_parameters, "How to send batches (SageMaker)")]


def _asked(variable: str, ours: int) -> int:
    """What the operator of a batch set, else our own."""
    value = os.environ.get(variable, "")
    return int(value) if value.isdigit() and int(value) else max(1, ours)
