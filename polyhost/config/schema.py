"""Every setting of ``polyhost serve``: its place in the file, its kind, default and flag.

The loader, the command's flags, ``polyhost config show`` and docs/configuration.md are all made
from this one table. A setting's dotted name is its path in the file (``limits.max_connections``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from polyhost.config import kinds
from polyhost.config.kinds import ValueKind, choice, size, whole
from polyhost.data.target import TargetType
from polyhost.logs import FORMATS
from polyhost.settings import AdminSettings, Batching, HostLimits, Limits, ServerSettings

LEVELS = ("all", "debug", "info", "warn", "warning", "error", "critical", "fatal")
DEADLINE = 600.0
"""Seconds that a request may run under ``serve`` by default."""

VARIABLE_PREFIX = "POLYHOST__"
"""With two underscores: Kubernetes sets POLYHOST_PORT for a service that is called polyhost."""


@dataclass(frozen=True)
class Field:
    """One setting. ``many``: ``list``, or ``map`` from names, which are of the kind ``keys``, to
    values. ``secret``: never shown.

    ``flag`` of ``polyhost serve``; ``variable``: an environment variable beside the regular one.
    """

    name: str
    kind: ValueKind
    help: str
    default: Any = None
    many: str = ""
    flag: str = ""
    variable: str = ""
    required: bool = False
    secret: bool = False
    keys: ValueKind = kinds.TEXT

    @property
    def empty(self) -> Any:
        """The value of a setting that is not given."""
        return {"list": (), "map": {}}.get(self.many, self.default)


@dataclass(frozen=True)
class Section:
    """Settings under one key. ``many``: ``list`` of such, or ``map`` by name.

    ``short``: the setting that a bare value in the section's place is of.
    """

    name: str
    help: str
    fields: tuple[Field | Section, ...]
    many: str = ""
    short: str = ""

    def get(self, name: str) -> Field | Section | None:
        """A part by its key."""
        return next((part for part in self.fields if part.name == name), None)

    def leaves(self, prefix: str = "") -> Iterator[tuple[str, Field]]:
        """Settings below, by dotted name; those of repeated sections left out."""
        for part in self.fields:
            if isinstance(part, Field):
                yield prefix + part.name, part
            elif not part.many:
                yield from part.leaves(f"{prefix}{part.name}.")


_HOST, _MODEL, _BATCHING, _ADMIN = HostLimits(), Limits(), Batching(), AdminSettings()
_ROWS = whole(1, 10**12)
_MEMORY = size(1 << 20)
MOST_REPLICAS = 1000
"""Workers that one model may have, of each kind."""

LIMITS_OF_MODEL = Section(
    "limits",
    "what one model may take",
    (
        Field(
            "max_queue", whole(1, 1_000_000), "requests that wait; more get 429", _MODEL.max_queue
        ),
        Field("max_rows", _ROWS.or_none(), "rows of one request"),
        Field("max_body", size(1).or_none(), "body of one request; larger gets 413"),
        Field(
            "deadline",
            kinds.SECONDS.or_none(),
            "time a request may run; then it is stopped and gets 504",
            DEADLINE,
            flag="--deadline",
        ),
        Field(
            "load_timeout",
            kinds.SECONDS,
            "time a model may take to load",
            _MODEL.load_timeout,
            flag="--load-timeout",
        ),
        Field("memory", _MEMORY.or_none(), "memory (PSS) of one worker; above it is replaced"),
        Field("cpus", kinds.CORES.or_none(), "cores of one worker"),
        Field(
            "max_concurrency",
            whole(1, 1000),
            "calls that one worker runs at once, where the language allows; then none is shared",
            _MODEL.max_concurrency,
            flag="--max-concurrency",
        ),
    ),
)

BATCHING = Section(
    "batching",
    "whether requests that wait share one call of the model",
    (
        Field(
            "mode",
            choice("auto", "on", "off"),
            "where the model is known to allow it, always, never",
            _BATCHING.mode,
            flag="--batching",
        ),
        Field("max_batch", whole(1, 65_536), "requests in one call", _BATCHING.max_batch),
        Field("max_rows", _ROWS.or_none(), "rows in one call"),
    ),
    short="mode",
)

FOR_EACH = (
    Field(
        "replicas", whole(1, MOST_REPLICAS), "worker processes of the model", 1, flag="--workers"
    ),
    Field("spares", whole(0, MOST_REPLICAS), "workers kept loaded to take over at once", 0),
    Field("lazy", kinds.SWITCH, "load it at its first request", False),
    Field(
        "swap",
        choice("overlap", "replace"),
        "load a new version before the old one goes, or after (when both do not fit)",
        "overlap",
    ),
    Field(
        "devices",
        kinds.WORD,
        "what each replica sees of the GPUs (`0`, or `0,1`), in their order; one is for all",
        many="list",
    ),
    Field(
        "env",
        kinds.INTERPRETER.or_none(),
        "the model's own Python: `uv` (or `virtualenv`, `conda`) builds one from its requirements, "
        "`none` is the server's",
        flag="--python",
    ),
    Field(
        "environment",
        kinds.TEXT,
        "environment variables for its workers; to those of `defaults` are added the model's",
        many="map",
        keys=kinds.VARIABLE,
    ),
    BATCHING,
    LIMITS_OF_MODEL,
)

TARGET = Section(
    "target",
    "what the model answers; its model-metadata.yaml may say so instead",
    (
        Field(
            "type",
            choice(*(member.value for member in TargetType)),
            "target type",
            flag="--target-type",
        ),
        Field(
            "positive_class_label",
            kinds.TEXT,
            "label whose probability a binary model gives",
            flag="--positive-class-label",
        ),
        Field(
            "negative_class_label",
            kinds.TEXT,
            "the other label of a binary model",
            flag="--negative-class-label",
        ),
        Field(
            "class_labels",
            kinds.TEXT,
            "labels of a multiclass or multilabel model",
            many="list",
            flag="--class-labels",
        ),
        Field(
            "class_labels_file",
            kinds.FILE,
            "file with those labels, one a line",
            flag="--class-labels-file",
        ),
        Field("name", kinds.TEXT, "prediction column of a text model", variable="TARGET_NAME"),
    ),
    short="type",
)

MODEL = Section(
    "models",
    "the models by name; a bare value is the path",
    (
        Field("path", kinds.SOURCE, "where the model is", required=True),
        Field("version", kinds.WORD, "what callers see as its version", "1"),
        Field(
            "language",
            kinds.WORD,
            "its language, when its files do not say",
            flag="--language",
        ),
        TARGET,
        Field(
            "unknown_levels",
            choice("error", "missing", "warn").or_none(),
            "a text that is not among a category's levels: 422, a missing value, or the runtime's "
            "own rule (also the default); it is counted and logged in any case",
            flag="--unknown-levels",
        ),
        Field(
            "extra_outputs",
            kinds.SWITCH,
            "answer also with what the model's own library gives beside its predictions, such as "
            "calibrated probabilities and prediction intervals",
            False,
            flag="--extra-outputs",
        ),
        Field(
            "literal_nan",
            kinds.SWITCH,
            "answer with the words NaN and Infinity, which are not JSON, as MLflow's own server does; "
            "for models that MLflow saved. Without it they are null",
            False,
            flag="--literal-nan",
        ),
        Field(
            "digests",
            kinds.SHA256,
            "SHA-256 of files of the model, checked before each loading; then its custom file and "
            "artifacts need one",
            many="map",
        ),
        *FOR_EACH,
    ),
    many="map",
    short="path",
)

KEYS = Section(
    "keys",
    "keys that callers have to show; without any, none is needed",
    (
        Field("name", kinds.WORD, "what logs call it", required=True),
        Field(
            "sha256",
            kinds.SHA256,
            "SHA-256 of the key: `printf %s KEY | sha256sum`",
            secret=True,
        ),
        Field("variable", kinds.WORD, "environment variable that holds the key instead"),
        Field("role", choice("predict", "admin"), "what it opens", "predict"),
        Field("models", kinds.MODEL, "models that it opens; all when absent", many="list"),
    ),
    many="list",
)

SCHEMA = Section(
    "",
    "",
    (
        Field("host", kinds.WORD, "address to listen at", "127.0.0.1", flag="--host"),
        Field(
            "port", whole(0, 65535), "port to listen at; 0: any that is free", 8000, flag="--port"
        ),
        Field(
            "grpc_port",
            whole(0, 65535).or_none(),
            "port to serve gRPC at; 0: any that is free (needs `pip install 'polyhost[grpc]'`)",
            flag="--grpc-port",
        ),
        Field(
            "url_prefix",
            kinds.TEXT,
            "path that every route is under",
            "",
            variable="URL_PREFIX",
        ),
        Field(
            "fronts",
            whole(1, 256),
            "processes that serve clients",
            ServerSettings.fronts,
            flag="--fronts",
        ),
        Field(
            "allowed_hosts",
            kinds.WORD,
            "names by which clients may address a server that listens on loopback without keys, "
            "besides those of loopback; `*` is any",
            many="list",
        ),
        Field(
            "grace",
            kinds.SECONDS,
            "time that accepted requests may still take once the server is asked to stop",
            ServerSettings.grace,
        ),
        Field(
            "logging_level",
            choice(*LEVELS),
            "least level of the log lines to show",
            ServerSettings.logging_level,
            flag="--logging-level",
        ),
        Field(
            "log_format",
            choice(*FORMATS),
            "how log lines are written; json also says which request printed what",
            ServerSettings.log_format,
            flag="--log-format",
        ),
        Field(
            "access_log",
            kinds.SWITCH,
            "a log line for each request of a model",
            False,
            flag="--access-log",
        ),
        Field(
            "worker_user",
            kinds.WORD,
            "account that workers run under, when started as root",
            flag="--worker-user",
        ),
        Field(
            "wait",
            kinds.SWITCH,
            "accept connections only when every model that is not lazy can answer; end with 1 when "
            "one cannot be loaded",
            False,
            flag="--wait",
        ),
        Field("verbose", kinds.SWITCH, "say more", False, flag="--verbose"),
        Field(
            "show_stacktrace",
            kinds.SWITCH,
            "print the native traceback of a model's error",
            False,
            flag="--show-stacktrace",
        ),
        Field(
            "show_perf", kinds.SWITCH, "print how long each step took", False, flag="--show-perf"
        ),
        Section(
            "limits",
            "what all clients and models together may take",
            (
                Field(
                    "max_connections", whole(1, 1_000_000).or_none(), "clients connected at once"
                ),
                Field(
                    "max_header",
                    size(1 << 10, 16 << 20),
                    "headers of one request",
                    _HOST.max_header,
                ),
                Field("max_query", size(0, 16 << 20), "query of one request", _HOST.max_query),
                Field(
                    "body_timeout",
                    kinds.SECONDS.or_none(),
                    "time that a body may pause while it arrives",
                    _HOST.body_timeout,
                ),
                Field("body_budget", size(1 << 20), "all bodies in flight", _HOST.body_budget),
                Field(
                    "memory",
                    _MEMORY.or_none(),
                    "memory (PSS) of all workers; lazy models are unloaded to stay under it",
                ),
            ),
        ),
        Section(
            "tls",
            "encryption; both or none",
            (
                Field("certificate", kinds.FILE, "PEM file of the certificate chain"),
                Field("key", kinds.FILE, "PEM file of its key"),
            ),
        ),
        Section(
            "admin",
            "the admin API, which loads and unloads models",
            (
                Field("enabled", kinds.SWITCH, "whether it is there", False),
                Field("roots", kinds.FOLDER, "folders it may load from", many="list"),
                Field(
                    "addresses",
                    kinds.WORD,
                    "addresses it may load from, by their beginnings: `models:/`, `s3://bucket/models`",
                    many="list",
                ),
                Field(
                    "environment",
                    kinds.WORD,
                    "environment variables that it may set for a model, by name; `MY_*` is all "
                    "that begin so",
                    many="list",
                ),
                Field(
                    "max_replicas",
                    whole(1, MOST_REPLICAS),
                    "workers that it may give one model, spares included",
                    _ADMIN.max_replicas,
                ),
            ),
            short="enabled",
        ),
        Section(
            "store",
            "where archives and addresses become versions",
            (
                Field("path", kinds.PLACE, "its folder; absent: in the user's cache"),
                Field("quota", size().or_none(), "bytes of versions; the oldest unused go"),
                Field("desired", kinds.PLACE, "file that keeps what the admin API deployed"),
            ),
            short="path",
        ),
        Section(
            "registry",
            "models of an MLflow tracking server, followed while the server runs",
            (
                Field(
                    "uri", kinds.WORD, "its address, such as http://mlflow:5000", flag="--registry"
                ),
                Field(
                    "tag",
                    kinds.TAG,
                    "registered models, or versions, with this tag are served; `any`: all models",
                    "datagrok",
                    flag="--registry-tag",
                ),
                Field(
                    "follow",
                    kinds.WORD,
                    "which version: `latest`, `@ALIAS`, or a stage",
                    "latest",
                    flag="--registry-follow",
                ),
                Field(
                    "interval",
                    kinds.SECONDS,
                    "time between two looks at it",
                    30.0,
                    flag="--registry-interval",
                ),
                Field("lazy", kinds.SWITCH, "load each model at its first request", True),
            ),
            short="uri",
        ),
        KEYS,
        Section("defaults", "settings of every model that does not say otherwise", FOR_EACH),
        MODEL,
    ),
)


def flags() -> Iterator[tuple[str, Field]]:
    """Settings that have a flag, by dotted name; ``models.`` goes before those of every model."""
    for name, field in SCHEMA.leaves():
        if field.flag and not name.startswith("defaults."):
            yield name, field
    for name, field in MODEL.leaves("models."):
        if field.flag:
            yield name, field


def variable_of(name: str) -> str:
    """The environment variable of a setting that is not a model's own."""
    return VARIABLE_PREFIX + name.upper().replace(".", "__")
