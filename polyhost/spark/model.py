"""A model as executors get it: where to find its folder, and the worker that answers for it there."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polyhost.cluster.shipping import Shipment, as_text, pack, unpack
from polyhost.embed.model import LoadedModel, load
from polyhost.errors import RuntimeUnavailable, SettingsError

IDLE_MODELS = 2
"""Models that a Python process of Spark keeps loaded while no task of its uses them."""


_lock = threading.Lock()
_carried: set[tuple[str, str]] = set()
"""Applications of Spark, and the archives that each carries."""


def session(given: Any = None) -> Any:
    """The Spark session to use; SettingsError when there is none."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise RuntimeUnavailable(
            f"polyhost.spark needs PySpark: {error}. Install it: pip install 'polyhost[spark]'."
        ) from error
    found = given if given is not None else SparkSession.getActiveSession()
    if found is None:
        raise SettingsError(
            "no Spark session is active here. Make one (SparkSession.builder.getOrCreate()), or give "
            "spark=."
        )
    return found


@dataclass(frozen=True)
class SparkModel:
    """What a function that runs in executors knows of its model. Plain data.

    ``place`` is the folder, where the job was started. Every machine has it there, unless ``shipment``
    says what Spark carries. ``settings`` are those of :func:`polyhost.load`.
    """

    place: str
    shipment: Shipment | None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What distinguishes it from others that one process may hold."""
        return repr((self.shipment or self.place, sorted(self.settings.items())))

    def folder(self) -> Path:
        """The folder on this machine."""
        if self.shipment is None:
            return Path(self.place)
        from pyspark import SparkFiles

        return unpack(self.shipment, SparkFiles.get)


def ship(spark: Any, model: Any, settings: Mapping[str, Any], in_place: bool) -> SparkModel:
    """Hand a model to a session, which carries it to its executors.

    ``in_place``: every machine has the folder at this path already.
    """
    source = as_text(model)
    if in_place:
        return SparkModel(source, None, settings)
    context = getattr(spark, "_sc", None)
    if context is None:
        raise SettingsError(
            "a session of Spark Connect cannot carry a folder to its executors. Put the model where "
            "every machine finds it, and give in_place=True."
        )
    folder = Path(tempfile.mkdtemp(prefix="polyhost-spark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shipment, archive = pack(source, folder)
    with _lock:
        carried = (context.applicationId, shipment.file_name)
        if carried not in _carried:  # Spark takes a name once
            context.addFile(str(archive))
            _carried.add(carried)
    return SparkModel(str(unpack(shipment, lambda _: archive)), shipment, settings)


@dataclass
class _Held:
    model: LoadedModel
    users: int = 0


_held: dict[str, _Held] = {}


@contextlib.contextmanager
def loaded(model: SparkModel) -> Iterator[LoadedModel]:
    """The model, loaded in this process: a task finds it warm from the task before it."""
    with _lock:
        held = _held.pop(model.key, None) or _Held(load(model.folder(), **model.settings))
        _held[model.key] = held  # the last used comes last
        held.users += 1
        idle = [key for key, other in _held.items() if not other.users]
        for key in idle[: max(0, len(idle) - IDLE_MODELS)]:
            _held.pop(key).model.close()
    try:
        yield held.model
    finally:
        with _lock:
            held.users -= 1
