"""``polyhost serve``: many models in one server."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyhost import logs
from polyhost.cli import platforms
from polyhost.cli.flags import SWITCH, TARGET_FLAGS, Flag, add_flags
from polyhost.cli.options import check_labels
from polyhost.config import kinds, schema
from polyhost.errors import SettingsError, WrongOptions
from polyhost.settings import OWN_ENVIRONMENTS, ServerSettings

if TYPE_CHECKING:
    from polyhost.config import Loaded

FILE_NAME = "polyhost.yaml"
"""Read from the current folder when the command line names neither a file nor a model."""

_ENV = next(name for name, field in schema.flags() if field.flag == "--python")
_REGISTRY = schema.variable_of("registry.uri")


def _flag(field: schema.Field) -> Flag:
    """The flag of a setting. No default: what nobody gave comes from the layers below."""
    if field.kind is kinds.SWITCH:
        return Flag((field.flag,), field.help, options=SWITCH)
    if field.kind.words:
        return Flag(
            (field.flag,), f"{field.help} [{field.default}]", options={"choices": field.kind.words}
        )
    shown = field.kind.show(field.default) if field.default is not None else ""
    options = {"type": str if field.kind.on_disk else _parser_of(field.kind), "metavar": "VALUE"}
    return Flag((field.flag,), field.help + (f" [{shown}]" if shown else ""), options=options)


def _parser_of(kind: kinds.ValueKind) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return kind.parse(text, Path.cwd())
        except ValueError:
            message = f"expected {kind.expected}; found {text!r}"
            raise argparse.ArgumentTypeError(message) from None

    return parse


_OF_TARGET = {flag.long for flag in TARGET_FLAGS}
FLAGS = tuple(_flag(field) for _, field in schema.flags() if field.flag not in _OF_TARGET)
TARGET_FLAGS_OF_SERVE = tuple(
    Flag(flag.names, flag.help, options=flag.options) for flag in TARGET_FLAGS
)


def _replicas(text: str) -> tuple[int, int]:
    """``MIN:MAX`` or one number for both."""
    least, colon, most = text.partition(":")
    try:
        found = int(least), int(most if colon else least)
    except ValueError:
        found = (0, 0)
    if not 1 <= found[0] <= found[1]:
        raise argparse.ArgumentTypeError(f"expected MIN:MAX from 1 on, as 1:8; found {text!r}")
    return found


ENGINE_FLAGS = (
    Flag(
        ("--engine",),
        "where the models are: in this process's workers, or in replicas of Ray Serve",
        options={"choices": ("local", "ray"), "default": "local"},
    ),
    Flag(
        ("--ray-address",),
        "head node of the Ray cluster, HOST:PORT or auto; absent: RAY_ADDRESS, else this machine",
        options={"metavar": "ADDRESS"},
    ),
    Flag(
        ("--ray-replicas",),
        "fewest and most replicas of each deployment [1:1]",
        options={"type": _replicas, "metavar": "MIN:MAX"},
    ),
    Flag(
        ("--ray-target-requests",),
        "requests under way in a replica that Ray Serve scales to [4]",
        options={"type": float, "metavar": "N"},
    ),
    Flag(
        ("--ray-cpus",),
        "CPUs of the cluster that a replica takes [1]",
        options={"type": float, "metavar": "N"},
    ),
)
"""Flags of the command alone: they say where it runs, not what is served."""


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("serve", help="serve many models at once")
    add_arguments(parser)
    add_flags(parser.add_argument_group("for many machines", "docs/scaling.md"), ENGINE_FLAGS)
    parser.set_defaults(run=run, parser=parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What says which models are served, and how."""
    parser.add_argument(
        "models",
        nargs="*",
        metavar="[NAME=]SOURCE",
        help="folder with a model, an archive, or an address (models:/NAME/1, runs:/ID/PATH, "
        "s3://, https://); it is called like the folder unless named. A .yaml file is read as "
        "--config",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"configuration file; {FILE_NAME} here, when there are no models either",
    )
    add_flags(parser, FLAGS)
    add_env_manager(parser)
    one = parser.add_argument_group("for one folder", "with several, model-metadata.yaml says")
    add_flags(one, TARGET_FLAGS_OF_SERVE)


def add_env_manager(parser: argparse._ActionsContainer) -> None:
    """Add MLflow's flags for a model's environment."""
    parser.add_argument(
        "--env-manager",
        choices=("local", *OWN_ENVIRONMENTS),
        help="what builds the environment of a model from its own files; local: none is built",
    )
    parser.add_argument(
        "--no-conda",
        dest="env_manager",
        action="store_const",
        const="local",
        help="the same as --env-manager local",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until asked to stop."""
    loaded = configuration(options)
    settings = loaded.settings
    logs.configure(
        settings.logging_level,
        format=settings.log_format,
        access=settings.access_log,
        serve=True,
    )
    if _is_for_ray(options):
        return _serve_on_ray(options, settings)
    from polyhost.server.run import serve

    return serve(settings, lambda: configuration(options), loaded)


def _is_for_ray(options: argparse.Namespace) -> bool:
    """True for --engine ray; WrongOptions for Ray's flags without it."""
    given = [flag.long for flag in ENGINE_FLAGS[1:] if getattr(options, flag.dest) is not None]
    if options.engine != "ray" and given:
        raise WrongOptions(f"{given[0]} needs --engine ray.")
    return bool(options.engine == "ray")


def _serve_on_ray(options: argparse.Namespace, settings: ServerSettings) -> int:
    from polyhost.cluster import ray_serve

    least, most = options.ray_replicas or (1, 1)
    scaling = ray_serve.Scaling(
        least, most, options.ray_target_requests or 4.0, options.ray_cpus or 1.0
    )
    return ray_serve.serve(settings, options.ray_address, scaling)


def server_settings(options: argparse.Namespace) -> ServerSettings:
    """The server that the options describe, each of its models resolved."""
    return configuration(options).settings


def configuration(options: argparse.Namespace) -> Loaded:
    """What the options, the environment and the file say."""
    from polyhost.config import load

    check_labels(options.parser, options)
    path, models = _sources(options)
    later = bool(options.registry or options.environment.get(_REGISTRY))
    later = later or platforms.is_multi_model(options.environment)
    brought = "" if path or models or later else platforms.model_source(options.environment)
    if brought:
        models = [split_name(brought)]
    if path is None and not models and not later:
        raise SettingsError(
            f"nothing to serve: expected folders of models, or a configuration file; found no "
            f"{FILE_NAME} here. Give --config FILE, the folder of a model, or --registry URI."
        )
    environment = platforms.with_address(options.environment, bool(brought))
    return load(path, environment, flag_values(options), models)


def _sources(options: argparse.Namespace) -> tuple[Path | None, list[tuple[str, str]]]:
    """The configuration file, and models by name and path."""
    files = [Path(text) for text in options.models if _is_config(text)]
    if options.config is not None:
        files.insert(0, options.config)
    if len(files) > 1:
        raise SettingsError(
            f"expected one configuration file; found {', '.join(map(str, files))}. Give one."
        )
    if not files and not options.models and Path(FILE_NAME).is_file():
        files = [Path(FILE_NAME)]
    models = [split_name(text) for text in options.models if not _is_config(text)]
    return (files[0] if files else None), models


def _is_config(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) and not Path(text).is_dir() and "=" not in text


def flag_values(options: argparse.Namespace) -> dict[str, Any]:
    """Values of the flags that were given, by the setting's dotted name."""
    values: dict[str, Any] = {}
    for name, field in schema.flags():
        value = getattr(options, field.flag[2:].replace("-", "_"))
        if value is None or value is False:
            continue
        if field.kind.on_disk and isinstance(value, str):
            value = _parse_now(field, value)
        values[name] = value
    if options.env_manager is not None:
        if options.python is not None:
            raise SettingsError("--python and --env-manager exclude each other. Give one.")
        values[_ENV] = None if options.env_manager == "local" else options.env_manager
    return values


def _parse_now(field: schema.Field, text: str) -> Any:
    try:
        return field.kind.parse(text, Path.cwd())
    except ValueError as error:
        raise SettingsError(
            f"{field.flag}: expected {field.kind.expected}; found {str(error) or repr(text)}."
        ) from error


def split_name(text: str) -> tuple[str, str]:
    """``NAME=SOURCE`` or ``SOURCE``, which is called like the last part of its path, or as it is registered."""
    from polyhost.store.sources import is_address, name_of

    name, equals, source = text.partition("=")
    if not equals or Path(text).is_dir() or is_address(name):  # an "=" inside an address
        name, source = "", text
    if not is_address(source):
        source = str(Path(source).resolve())
    return name or name_of(source), source
