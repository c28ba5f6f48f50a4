"""What a server's OpenAPI document says of its routes."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Mapping, Optional

from polyhost import __version__
from polyhost.server.call.keys import opens
from polyhost.server.http.endpoint import Endpoint
from polyhost.settings import ApiKey

TITLE = "polyhost"


def openapi(endpoints: Iterable[Endpoint], *, keys: bool) -> Dict[str, Any]:
    """The OpenAPI document of some endpoints. ``keys``: requests show an API key."""
    paths: Dict[str, Dict[str, Any]] = {}
    for endpoint in endpoints:
        if not endpoint.documented:
            continue
        operation = {"summary": endpoint.summary, **endpoint.operation}
        operation.setdefault("responses", {"200": {"description": "OK"}})
        operation.setdefault("tags", [endpoint.model or "server"])
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    document: Dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": __version__},
        "paths": paths,
    }
    if keys:
        scheme = {"type": "http", "scheme": "bearer"}
        document["components"] = {"securitySchemes": {"key": scheme}}
        document["security"] = [{"key": []}]
    return document


def visible(
    endpoints: Iterable[Endpoint], models: Mapping[str, Any], key: Optional[ApiKey]
) -> Iterable[Endpoint]:
    """The endpoints that a key opens."""
    if key is None or not key.models:
        return endpoints
    closed = {name for name in models if not opens(key, name)}
    if not closed:
        return endpoints
    if len(models) == 1:
        return ()
    return [endpoint for endpoint in endpoints if endpoint.model not in closed]
