"""The host half of each client protocol, and every route that a model gets from them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, List, Mapping, Sequence, Tuple

from polyhost import plugins
from polyhost.server.call.route import Service
from polyhost.server.call.served_model import Served
from polyhost.server.dialects import chat, cloud, drum, kserve, mindsdb, mlflow, sagemaker, v2
from polyhost.server.dialects.added import AddedModel
from polyhost.server.dialects.answers import text_error
from polyhost.server.http.endpoint import Endpoint

Refusal = Callable[[str], bytes]
"""The body of an answer that refuses a request, from the text that says why."""


@dataclass(frozen=True)
class RootRoutes:
    """What a protocol has at the root of a server, whatever its models.

    ``endpoints``: its routes over all models there are, which may be none. ``below``: paths under
    which a request that no route answers gets the protocol's own refusal.
    """

    endpoints: Callable[[Mapping[str, Served], Service], List[Endpoint]]
    below: Mapping[str, Refusal] = field(default_factory=dict)


DIALECTS: Tuple[Any, ...] = (
    drum.DrumRoutes,
    chat.ChatRoutes,
    cloud.CloudRoutes,
    mlflow.MlflowRoutes,
    v2.V2Routes,
    kserve.KserveRoutes,
    mindsdb.MindsDbRoutes,
)
"""Classes, called with a model and the service. ``endpoints(prefix)``: routes below a place of the
model, which is the root where it is the only one, and ``/models/NAME``. ``named_endpoints(prefix)``,
which not each has: routes at the root whose paths hold the model's name."""
ROOT_ROUTES: Tuple[RootRoutes, ...] = (
    RootRoutes(sagemaker.root_routes),
    RootRoutes(v2.root_endpoints, {"/v2": text_error}),
)


def endpoints_of(model: Served, service: Service, places: Sequence[str]) -> List[Endpoint]:
    """The routes of one model: below each of some prefixes, and those at the root with its name."""
    spoken: List[Any] = [dialect(model, service) for dialect in DIALECTS]
    spoken += [AddedModel(added, model, service) for added in plugins.installed(plugins.DIALECTS)]
    found = [endpoint for place in places for each in spoken for endpoint in each.endpoints(place)]
    for each in spoken:
        named = getattr(each, "named_endpoints", None)
        if named is not None:
            found += named(service.settings.url_prefix)
    found += sagemaker.further_addresses(tuple(found), model.name, service.settings.url_prefix)
    return [replace(endpoint, model=model.name) for endpoint in found]


def root_endpoints(models: Mapping[str, Served], service: Service) -> List[Endpoint]:
    """The routes of protocols that are about the server, or about all its models."""
    return [endpoint for root in ROOT_ROUTES for endpoint in root.endpoints(models, service)]


def refusals(prefix: str) -> Mapping[str, Refusal]:
    """How protocols refuse requests that no route answers, by the beginning of the path."""
    return {prefix + path: body for root in ROOT_ROUTES for path, body in root.below.items()}
