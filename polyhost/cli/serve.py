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
from polyhost.errors import SettingsError
from polyhost.settings import ServerSettings

if TYPE_CHECKING:
    from polyhost.config import Loaded

FILE_NAME = "polyhost.yaml"
"""Read from the current folder when the command line names neither a file nor a model."""

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


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("serve", help="serve many models at once")
    add_arguments(parser)
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
    one = parser.add_argument_group("for one folder", "with several, model-metadata.yaml says")
    add_flags(one, TARGET_FLAGS_OF_SERVE)


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
    from polyhost.server.run import serve

    return serve(settings, lambda: configuration(options), loaded)


def server_settings(options: argparse.Namespace) -> ServerSettings:
    """The server that the options describe, each of its models resolved."""
    return configuration(options).settings


def configuration(options: argparse.Namespace) -> Loaded:
    """What the options, the environment and the file say."""
    from polyhost.config import load

    check_labels(options.parser, options)
    path, models = _sources(options)
    followed = bool(options.registry or options.environment.get(_REGISTRY))
    brought = "" if path or models or followed else platforms.model_source(options.environment)
    if brought:
        models = [split_name(brought)]
    if path is None and not models and not followed:
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
