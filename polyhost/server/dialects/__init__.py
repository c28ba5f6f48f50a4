"""The host half of each client protocol, and every route that a model gets from them."""

from __future__ import annotations

from typing import Any, List, Sequence

from polyhost import plugins
from polyhost.server.call.route import Service
from polyhost.server.call.served_model import Served
from polyhost.server.dialects import chat, drum
from polyhost.server.dialects.added import AddedModel
from polyhost.server.http.endpoint import Endpoint

DIALECTS = (drum.DrumRoutes, chat.ChatRoutes)


def endpoints_of(model: Served, service: Service, places: Sequence[str]) -> List[Endpoint]:
    """The routes of one model, below each of some prefixes."""
    spoken: List[Any] = [dialect(model, service) for dialect in DIALECTS]
    spoken += [AddedModel(added, model, service) for added in plugins.installed(plugins.DIALECTS)]
    return [endpoint for place in places for each in spoken for endpoint in each.endpoints(place)]
