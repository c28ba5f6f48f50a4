"""Settings: built once at the edge, typed, and aware of where each value came from."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Mapping, Optional, Tuple, TypeVar

from polyhost.errors import PolyhostError, SettingsError

if TYPE_CHECKING:  # the command line starts without numpy, which this needs
    from polyhost.predictor import ModelSpec

T = TypeVar("T")


class Source(str, enum.Enum):
    """Who gave a value."""

    FLAG = "flag"
    ENVIRONMENT = "environment variable"
    METADATA = "model-metadata.yaml"
    DEFAULT = "default"


@dataclass(frozen=True)
class Setting(Generic[T]):
    """A value with its source; ``spelling`` is what the user wrote it as (``--target-type``)."""

    value: T
    source: Source = Source.DEFAULT
    spelling: str = ""

    @property
    def given(self) -> bool:
        """Somebody gave it: it is not the default."""
        return self.source is not Source.DEFAULT

    def __str__(self) -> str:
        return f"{self.spelling or self.source.value} ({self.value!r})"


def agree(first: Setting[T], second: Setting[T], what: str) -> Setting[T]:
    """The one that was given; SettingsError when both were and they differ."""
    if first.given and second.given and first.value != second.value:
        raise SettingsError(
            f"two values for the {what}: {first} and {second}. Give one, or make them equal."
        )
    return first if first.given else second


@dataclass(frozen=True)
class TargetSettings:
    """What an operator said about a model's answers, before its metadata was asked.

    ``binary_labels`` is ``(positive, negative)``. ``name`` is the prediction column of text
    models (``TARGET_NAME``).
    """

    type: Setting[Optional[str]] = field(default_factory=lambda: Setting(None))
    binary_labels: Setting[Tuple[str, ...]] = field(default_factory=lambda: Setting(()))
    class_labels: Setting[Tuple[str, ...]] = field(default_factory=lambda: Setting(()))
    name: Setting[Optional[str]] = field(default_factory=lambda: Setting(None))


@dataclass(frozen=True)
class HostedModel:
    """One model of a server.

    ``python``: another interpreter to run the worker in; None is ours. ``deadline``: seconds a
    request may run; None is no limit. ``load_timeout``: seconds until READY. ``batching``: rows
    of several requests may share a call where the model allows. ``own_environment``: the worker
    gets the host's whole environment (DRUM's one-model server), not the allow-list.
    """

    name: str
    spec: ModelSpec
    python: Optional[str] = None
    workers: int = 1
    deadline: Optional[float] = None
    load_timeout: float = 600.0
    batching: bool = True
    own_environment: bool = False


@dataclass(frozen=True)
class ServerSettings:
    """Everything a server needs to start. Plain values: their sources are in ``sources``.

    ``drum``: this is ``polyhost server``: one model, its routes at the root, exit 130 on SIGTERM,
    row counts may differ with a warning; otherwise ``polyhost serve``: drains and exits 0.
    ``failure``: what kept the model from being prepared, for the error server to tell.
    """

    address_host: str = "127.0.0.1"
    port: int = 8000
    url_prefix: str = ""
    drum: bool = False
    models: Tuple[HostedModel, ...] = ()
    show_perf: bool = False
    verbose: bool = False
    show_stacktrace: bool = False
    strict_rows: bool = False
    with_error_server: bool = False
    failure: Optional[PolyhostError] = None
    logging_level: str = "warning"
    deployment_config: Optional[Path] = None
    sources: Mapping[str, Source] = field(default_factory=dict)

    def source(self, name: str) -> Source:
        """Where the value of a field came from."""
        return self.sources.get(name, Source.DEFAULT)
