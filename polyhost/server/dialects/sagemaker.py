"""SageMaker's and Databricks' addresses of ``/invocations``, and what batch transform asks."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Iterable, Iterator, List, Mapping, Tuple

from polyhost.errors import CodeDirError, InvalidInput, PolyhostError, SettingsError
from polyhost.formats import json
from polyhost.server.auth import admin_only, guarded
from polyhost.server.call.body_reader import discard
from polyhost.server.call.route import Service
from polyhost.server.call.served_model import Served
from polyhost.server.call.status import status_of
from polyhost.server.dialects.answers import JSON, common_headers, dump
from polyhost.server.http.asgi import ClientGone, Receive, Scope, Send, read_body, respond
from polyhost.server.http.endpoint import Endpoint
from polyhost.settings import MODEL_NAME

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
    found = [Endpoint("GET", path, execution_parameters, "How to send batches (SageMaker)")]
    return [*found, *_multi_model(models, service)]


# Multi-model endpoints


def _multi_model(models: Mapping[str, Served], service: Service) -> List[Endpoint]:
    """What describes each model; where models may come and go by HTTP, what loads and unloads them."""
    settings = service.settings
    place = f"{settings.url_prefix}/models"
    found: List[Endpoint] = []
    for name, model in models.items():
        describe = partial(_describe, model, f"{place}/{name}")
        own = [Endpoint("GET", f"{place}/{name}", describe, "Where a model is (SageMaker)")]
        found += guarded([replace(each, model=name) for each in own], settings, name)
    if service.deployer is not None and (settings.admin.enabled or is_multi_model(os.environ)):
        load = admin_only(partial(_load, models, service), settings, place)
        found.append(Endpoint("POST", place, load, "Load a model (SageMaker)", LOAD))
        for name in models:
            unload = admin_only(partial(_unload, name, service), settings, place)
            summary = "Unload a model (SageMaker)"
            found.append(Endpoint("DELETE", f"{place}/{name}", unload, summary, model=name))
    return found


def is_multi_model(environment: Mapping[str, str]) -> bool:
    """Whether SageMaker loads the models of this container itself."""
    return environment.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true"


async def _describe(model: Served, url: str, scope: Scope, receive: Receive, send: Send) -> None:
    body = dump({"modelName": model.name, "modelUrl": url})
    await respond(send, 200, JSON, body, common_headers(scope))


async def _load(
    models: Mapping[str, Served], service: Service, scope: Scope, receive: Receive, send: Send
) -> None:
    try:
        name, url = await _asked_for(receive, service)
        if name in models:
            await _say(send, scope, 409, f"model {name!r} is loaded already")
            return
        roots = [_models_root()] if is_multi_model(os.environ) else []
        await service.deployer.deploy(name, url, {}, 1, "", roots)
    except ClientGone:
        return
    except PolyhostError as error:
        status = 400 if isinstance(error, (SettingsError, CodeDirError)) else status_of(error)
        await _say(send, scope, 400 if status == 422 else status, error.message)
    else:
        await _say(send, scope, 200, f"model {name!r} is loaded")


def _models_root() -> Path:
    """Where SageMaker puts the models; another place is for trials outside of it."""
    return Path(os.environ.get("POLYHOST_SAGEMAKER_MODELS") or "/opt/ml/models")


async def _asked_for(receive: Receive, service: Service) -> Tuple[str, str]:
    body = await read_body(receive, service.budget, LARGEST)
    try:
        found = json.loads(body if isinstance(body, bytes) else body.read())
    finally:
        discard(body, service.budget)
    name, url = (
        (found.get(key) for key in ("model_name", "url")) if isinstance(found, dict) else (0, 0)
    )
    if not isinstance(name, str) or not isinstance(url, str) or not MODEL_NAME.fullmatch(name):
        raise InvalidInput(
            "the body must be a JSON object with 'model_name' (letters, digits, '_', '-', '.') and "
            "'url', the model's folder."
        )
    return name, url


async def _unload(name: str, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await service.deployer.remove(name)
    except KeyError:
        await _say(send, scope, 404, f"no model {name!r} here")
    except PolyhostError as error:
        status = 400 if isinstance(error, SettingsError) else status_of(error)
        await _say(send, scope, status, error.message)
    else:
        await _say(send, scope, 200, f"model {name!r} is unloaded")


async def _say(send: Send, scope: Scope, status: int, text: str) -> None:
    await respond(send, status, JSON, dump({"message": text}), common_headers(scope))


LARGEST = 1 << 20
"""Bytes of the largest body that loads a model."""
LOAD: Mapping[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model_name", "url"],
                    "properties": {"model_name": {"type": "string"}, "url": {"type": "string"}},
                }
            }
        },
    },
    "responses": {
        "200": {"description": "the model answers now"},
        "400": {"description": "the model cannot be loaded: `message` says why"},
        "409": {"description": "a model of this name is loaded already"},
        "507": {"description": "there is no room for it"},
    },
}


def _asked(variable: str, ours: int) -> int:
    """What the operator of a batch set, else our own."""
    value = os.environ.get(variable, "")
    return int(value) if value.isdigit() and int(value) else max(1, ours)
