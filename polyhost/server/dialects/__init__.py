"""The host half of each client protocol, and every route that a model gets from them."""

from __future__ import annotations

from typing import List, Sequence

from polyhost.host.spool import Budget
from polyhost.server.call.served_model import Served
from polyhost.server.dialects import chat, drum
from polyhost.server.http.asgi import Watcher
from polyhost.server.http.endpoint import Endpoint
from polyhost.settings import ServerSettings

DIALECTS = (drum.DrumModel, chat.ChatModel)


def endpoints_of(
    pool: Served,
    settings: ServerSettings,
    budget: Budget,
    watcher: Watcher,
    places: Sequence[str],
) -> List[Endpoint]:
    """The routes of one model, below each of some prefixes."""
    models = [dialect(pool, settings, budget, watcher) for dialect in DIALECTS]
    return [endpoint for place in places for model in models for endpoint in model.endpoints(place)]
