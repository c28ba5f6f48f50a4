"""Settings: built once at the edge, typed, and aware of where each value came from."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Mapping, Optional, Tuple, TypeVar

from polyhost.errors import PolyhostError, SettingsError

if TYPE_CHECKING:  # the command line starts without numpy, which this needs
    from polyhost.predictor import ModelSpec

T = TypeVar("T")

MODEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
"""What a model may be called: a part of an address and of a path, and neither's syntax."""


OWN_ENVIRONMENTS = ("uv", "virtualenv", "conda")
"""What is asked for as a model's Python when one is to be built from its requirements."""


class Source(str, enum.Enum):
    """Who gave a value."""

    FLAG = "flag"
    ENVIRONMENT = "environment variable"
    FILE = "configuration file"
    METADATA = "model-metadata.yaml"
    REGISTRY = "model registry"
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


def agree(first: Setting[T], second: Setting[T], conflict: str) -> Setting[T]:
    """The one that was given; SettingsError, which begins with ``conflict``, when they differ."""
    if first.given and second.given and first.value != second.value:
        raise SettingsError(
            f"{conflict}. Use either one of them or make them match. Found {first} and {second}."
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
class Limits:
    """What one model may take. None: unlimited.

    ``max_queue``: requests that wait. ``max_rows``, ``max_body``: rows and bytes of one request.
    ``deadline``: seconds a request may run. ``load_timeout``: seconds until READY. ``memory``:
    bytes (PSS) of one worker. ``cpus``: cores of one worker. ``max_concurrency``: calls that one
    worker runs at once, where its guest allows.
    """

    max_queue: int = 10_000
    max_rows: Optional[int] = None
    max_body: Optional[int] = None
    deadline: Optional[float] = None
    load_timeout: float = 600.0
    memory: Optional[int] = None
    cpus: Optional[float] = None
    max_concurrency: int = 1


@dataclass(frozen=True)
class Batching:
    """Whether rows of several requests may share a call, and how many. False when ``off``.

    ``auto``: where the model is known to work row by row; ``on``: always. ``max_batch``: requests
    in one call. ``max_rows``: rows in one call; None: unlimited.
    """

    mode: str = "auto"
    max_batch: int = 64
    max_rows: Optional[int] = None

    def __bool__(self) -> bool:
        return self.mode != "off"


@dataclass(frozen=True)
class ModelConfig:
    """One model of a server.

    ``python``: another interpreter to run the worker in; None is ours. ``workers``: replicas.
    ``spares``: workers kept loaded beside them. ``own_environment``: the worker gets the host's
    whole environment (DRUM's one-model server), not the allow-list; ``environment`` is added to
    either. ``env``: what was asked for as the model's Python: None is ours, one of
    ``OWN_ENVIRONMENTS`` one built from its requirements (``python`` is set once it is built), else an interpreter's path.
    ``devices``: what each replica sees of the devices, in their order; one entry is for all.
    ``swap``: a new version is loaded before the old one goes (``overlap``) or after
    (``replace``). ``lazy``: loaded at its first request. ``digests``: SHA-256 by file of the code
    dir, checked before loading. ``annotations``: what a registry says of the model, as its metadata
    gives it to clients.
    """

    name: str
    spec: ModelSpec
    python: Optional[str] = None
    workers: int = 1
    limits: Limits = Limits()
    batching: Batching = Batching()
    own_environment: bool = False
    version: str = "1"
    spares: int = 0
    env: Optional[str] = None
    environment: Mapping[str, str] = field(default_factory=dict)
    devices: Tuple[str, ...] = ()
    swap: str = "overlap"
    lazy: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def deadline(self) -> Optional[float]:
        """Seconds a request may run; None: unlimited."""
        return self.limits.deadline

    @property
    def load_timeout(self) -> float:
        """Seconds until READY."""
        return self.limits.load_timeout


@dataclass(frozen=True)
class HostLimits:
    """What all clients together may take. None: unlimited.

    ``max_header``, ``max_query``: bytes of a request's headers, of its query. ``body_timeout``:
    seconds a body may pause while it arrives. ``body_budget``: bytes of bodies in flight.
    ``memory``: bytes (PSS) of all workers; lazy models are unloaded to stay under it.
    """

    max_connections: Optional[int] = None
    max_header: int = 64 << 10
    max_query: int = 64 << 10
    body_timeout: Optional[float] = 60.0
    body_budget: int = 16 << 30
    memory: Optional[int] = None


@dataclass(frozen=True)
class ApiKey:
    """A key that callers show. Only its SHA-256 (hex) is kept.

    ``role``: ``predict`` or ``admin``. ``models``: those it opens; empty is all.
    """

    name: str
    sha256: str = field(repr=False)
    role: str = "predict"
    models: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Tls:
    """PEM files of the server's certificate chain and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class AdminSettings:
    """The admin API: whether it is there, and the folders it may load models from.

    ``addresses``: beginnings of the addresses that it may load from, such as ``models:/``.
    ``environment``: names of the environment variables that it may set, or their beginnings with
    ``*`` after them. ``max_replicas``: workers that it may give one model, spares included.
    """

    enabled: bool = False
    roots: Tuple[Path, ...] = ()
    addresses: Tuple[str, ...] = ()
    environment: Tuple[str, ...] = ()
    max_replicas: int = 32


@dataclass(frozen=True)
class StoreSettings:
    """Where versions of models are kept, and how many bytes of them; None: unlimited."""

    path: Optional[Path] = None
    quota: Optional[int] = None


@dataclass(frozen=True)
class RegistrySettings:
    """A registry whose models are served.

    ``uri``: the tracking server. ``tag``: models that have it are served; None is all of them.
    ``follow``: the version that is: ``latest``, ``@ALIAS``, or a stage. ``interval``: seconds
    between two looks. ``lazy``: models are loaded by their first request.
    """

    uri: str
    tag: Optional[str] = "datagrok"
    follow: str = "latest"
    interval: float = 30.0
    lazy: bool = True


@dataclass(frozen=True)
class ServerSettings:
    """Everything a server needs to start. Plain values: their sources are in ``sources``.

    ``drum``: this is ``polyhost server``: one model, its routes at the root, exit 130 on SIGTERM,
    row counts may differ with a warning; otherwise ``polyhost serve``: drains and exits 0.
    ``failure``: what kept the model from being prepared, for the error server to report.
    ``fronts``: processes that serve clients. ``grpc_port``: where gRPC is served; None is nowhere. ``grace``: seconds that accepted requests may still
    take once the server was asked to stop. ``desired``: the file that holds what was deployed over
    the admin API; None keeps nothing. ``worker_user``: the account that workers run under; None is
    ours. ``allowed_hosts``: values of a request's Host that are answered besides the names of
    loopback; asked for where the server listens on loopback without keys. ``*`` is any.
    ``measured``: ``perf-test`` started it, which ends it without a word.
    ``wait``: no connection is accepted before every model that is not lazy can answer.
    """

    address_host: str = "127.0.0.1"
    port: int = 8000
    url_prefix: str = ""
    drum: bool = False
    models: Tuple[ModelConfig, ...] = ()
    show_perf: bool = False
    verbose: bool = False
    show_stacktrace: bool = False
    strict_rows: bool = False
    with_error_server: bool = False
    failure: Optional[PolyhostError] = None
    logging_level: str = "warning"
    log_format: str = "text"
    access_log: bool = False
    deployment_config: Optional[Path] = None
    limits: HostLimits = HostLimits()
    fronts: int = 1
    grpc_port: Optional[int] = None
    admin: AdminSettings = AdminSettings()
    keys: Tuple[ApiKey, ...] = ()
    tls: Optional[Tls] = None
    grace: float = 30.0
    store: StoreSettings = StoreSettings()
    desired: Optional[Path] = None
    registry: Optional[RegistrySettings] = None
    worker_user: Optional[str] = None
    allowed_hosts: Tuple[str, ...] = ()
    wait: bool = False
    measured: bool = False
    sources: Mapping[str, Source] = field(default_factory=dict)

    def source(self, name: str) -> Source:
        """Where the value of a field came from."""
        return self.sources.get(name, Source.DEFAULT)
