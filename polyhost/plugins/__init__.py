"""What installed packages add to polyhost: objects named by entry points, by group.

A package adds a language with the group ``polyhost.bridges``, a model library of Python with
``polyhost.frameworks``, a flavor of MLflow's models with ``polyhost.flavors``, a client protocol
with ``polyhost.dialects``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import Any, Tuple

logger = logging.getLogger(__name__)

BRIDGES = "polyhost.bridges"
FRAMEWORKS = "polyhost.frameworks"
FLAVORS = "polyhost.flavors"
DIALECTS = "polyhost.dialects"


@dataclass(frozen=True)
class AddedRoute:
    """A POST route below each model: ``op`` is ``predict``, ``transform`` or ``unstructured``."""

    path: str
    op: str = "predict"
    summary: str = ""


@dataclass(frozen=True)
class Dialect:
    """A client protocol, as an entry point of the group ``polyhost.dialects`` gives it.

    ``codec`` is a module with ``answer`` and ``answer_many`` as those of polyhost.codecs have: it
    runs in the worker, and is not imported in the host. ``routes`` pass their bodies to it.
    """

    name: str
    codec: str
    routes: Tuple[AddedRoute, ...] = ()


@lru_cache(maxsize=None)
def installed(group: str) -> Tuple[Any, ...]:
    """The objects of a group, by the names of their entry points. Looked for once a process.

    One that cannot be imported is left out with a warning: it is not to stop every other model.
    """
    found = []
    for entry in sorted(_entries(group), key=lambda entry: entry.name):
        try:
            found.append(entry.load())
        except Exception as error:
            logger.warning(
                "the entry point %s = %s of the group %s cannot be used: %s: %s",
                *(entry.name, entry.value, group, type(error).__name__, error),
            )
    return tuple(found)


def _entries(group: str) -> Any:
    found = metadata.entry_points()
    if hasattr(found, "select"):
        return found.select(group=group)
    return set(found.get(group, ()))  # Python 3.8 and 3.9
