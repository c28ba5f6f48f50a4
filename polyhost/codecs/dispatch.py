"""Finds a request's dialect and has it answered."""

from __future__ import annotations

import importlib
from typing import Any, Dict, List, Sequence, Union

from polyhost import plugins
from polyhost.codecs import Answer, Request
from polyhost.data.payload import Buffer
from polyhost.errors import SettingsError
from polyhost.predictor import Predictor

DIALECTS = {
    "batch": "polyhost.codecs.batch",
    "chat": "polyhost.codecs.chat",
    "cloud": "polyhost.codecs.cloud",
    "drum": "polyhost.codecs.drum",
    "mlflow": "polyhost.codecs.mlflow",
    "mindsdb": "polyhost.codecs.mindsdb",
    "kserve": "polyhost.codecs.kserve",
    "native": "polyhost.codecs.native",
    "openai": "polyhost.codecs.openai",
    "v2": "polyhost.codecs.v2.rest",
    "v2-grpc": "polyhost.codecs.v2.rpc",
}
"""Module of each dialect: it has ``answer`` and ``answer_many`` with the arguments of ours.

An installed package adds one with an entry point in the group ``polyhost.dialects``, see
docs/extending.md; its object's ``codec`` is the module's name.
"""


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Decode one body, predict and encode; errors are raised as they are."""
    found: Answer = _dialect(request).answer(predictor, request, body)
    return found


def answer_many(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer]
) -> List[Union[Answer, Exception]]:
    """Answers in order to bodies that came with equal requests; a bad body fails alone."""
    found: List[Union[Answer, Exception]] = _dialect(request).answer_many(
        predictor, request, bodies
    )
    return found


def _dialect(request: Request) -> Any:
    name = DIALECTS.get(request.dialect) or _added().get(request.dialect)
    if name is None:
        raise SettingsError(
            f"unknown dialect {request.dialect!r}: expected one of "
            f"{', '.join((*DIALECTS, *_added()))}."
        )
    return importlib.import_module(name)


def _added() -> Dict[str, str]:
    return {dialect.name: dialect.codec for dialect in plugins.installed(plugins.DIALECTS)}
