"""What a server's OpenAPI document says of its routes."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, Mapping, Optional

from polyhost import __version__
from polyhost.server.call.keys import opens
from polyhost.server.http.endpoint import Endpoint
from polyhost.settings import ApiKey

TITLE = "polyhost"
_MODEL = re.compile(r"/models/([^/{]+)/")


def openapi(endpoints: Iterable[Endpoint], *, keys: bool) -> Dict[str, Any]:
    """The OpenAPI document of some endpoints. ``keys``: requests show an API key."""
    paths: Dict[str, Dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = {"summary": endpoint.summary, **endpoint.operation}
        operation.setdefault("responses", {"200": {"description": "OK"}})
        model = _MODEL.search(endpoint.path)
        operation.setdefault("tags", [model[1] if model else "server"])
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
    endpoints: Iterable[Endpoint], models: Mapping[str, Any], key: Optional[ApiKey], prefix: str
) -> Iterable[Endpoint]:
    """The endpoints that a key opens."""
    if key is None or not key.models:
        return endpoints
    closed = {name for name in models if not opens(key, name)}
    if not closed:
        return endpoints
    if len(models) == 1:
        return ()
    roots = tuple(f"{prefix}/models/{name}/" for name in closed)
    lists = {f"{prefix}/models/{name}" for name in closed}
    return [e for e in endpoints if not e.path.startswith(roots) and e.path not in lists]
