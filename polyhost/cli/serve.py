"""``polyhost serve``: many models in one server."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyhost.cli.flags import LEVELS, SWITCH, TARGET_FLAGS, Flag, add_flags, at_least
from polyhost.cli.options import check_labels, target_settings
from polyhost.errors import SettingsError
from polyhost.settings import (
    Batching,
    HostedModel,
    Limits,
    ServerSettings,
    Setting,
    Source,
    TargetSettings,
)

if TYPE_CHECKING:
    from polyhost.predictor import ModelSpec

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds above 0; found {text!r}")
    return value


FLAGS = (
    Flag(("--host",), "address to listen at", options={"default": "127.0.0.1"}),
    Flag(
        ("--port",),
        "port to listen at",
        options={"type": at_least(1), "default": 8000},
    ),
    Flag(
        ("--workers",),
        "worker processes of each model",
        options={"type": at_least(1), "default": 1, "metavar": "N"},
    ),
    Flag(
        ("--python",),
        "interpreter to run the models in, such as a virtual environment's",
        options={"metavar": "PATH"},
    ),
    Flag(
        ("--deadline",),
        "seconds that a request may run; no limit when absent",
        options={"type": _seconds, "metavar": "SECONDS"},
    ),
    Flag(
        ("--load-timeout",),
        "seconds that a model may take to load",
        options={"type": _seconds, "default": 600.0, "metavar": "SECONDS"},
    ),
    Flag(
        ("--batching",),
        "answer waiting requests in one call: where the model is known to allow it, always, never",
        options={"choices": ["auto", "on", "off"], "default": "auto"},
    ),
    Flag(("--show-perf",), "tell how long things took", options=SWITCH),
    Flag(("--show-stacktrace",), "tell the native traceback of a model's error", options=SWITCH),
    Flag(("--verbose",), "say more", options=SWITCH),
    Flag(
        ("--logging-level",),
        "least level of the log lines to show",
        options={"choices": LEVELS, "default": "warning"},
    ),
)


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("serve", help="serve many models at once")
    parser.add_argument(
        "models",
        nargs="+",
        metavar="[NAME=]DIR",
        help="folder with a model; it is called like the folder unless named",
    )
    add_flags(parser, FLAGS)
    one = parser.add_argument_group("for one folder", "with several, model-metadata.yaml says")
    add_flags(one, TARGET_FLAGS_OF_SERVE)
    parser.set_defaults(run=run, parser=parser)


TARGET_FLAGS_OF_SERVE = tuple(
    Flag(flag.names, flag.help, options=flag.options) for flag in TARGET_FLAGS
)


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop."""
    check_labels(options.parser, options)
    settings = server_settings(options)
    from polyhost.server.run import serve

    return serve(settings)


def server_settings(options: argparse.Namespace) -> ServerSettings:
    """The server that the options describe, each of its models resolved."""
    folders = [split_name(text) for text in options.models]
    _check_names([name for name, _ in folders])
    if len(folders) > 1:
        _check_no_target_flags(options)
    python = _interpreter(options.python)
    return ServerSettings(
        address_host=options.host,
        port=options.port,
        url_prefix=options.environment.get("URL_PREFIX", ""),
        models=tuple(
            HostedModel(
                name=name,
                spec=_spec(folder, options, alone=len(folders) == 1),
                python=python,
                workers=options.workers,
                limits=Limits(deadline=options.deadline, load_timeout=options.load_timeout),
                batching=Batching(options.batching),
            )
            for name, folder in folders
        ),
        show_perf=options.show_perf,
        verbose=options.verbose,
        show_stacktrace=options.show_stacktrace,
        strict_rows=True,
        logging_level=options.logging_level,
    )


def split_name(text: str) -> tuple[str, Path]:
    """``NAME=DIR`` or ``DIR``, which is called like the folder."""
    name, equals, path = text.partition("=")
    if not equals or Path(text).is_dir():
        folder = Path(text).resolve()
        return folder.name, folder
    return name, Path(path).resolve()


def _spec(folder: Path, options: argparse.Namespace, *, alone: bool) -> ModelSpec:
    from polyhost.resolve import spec_of

    target = target_settings(options)
    if not alone:  # one variable cannot speak for several models: their metadata comes first
        target = TargetSettings(name=Setting(target.name.value, Source.DEFAULT))
    extra = {"strict_rows": True, "batching": options.batching}
    return spec_of(folder, target, language=options.language, options=extra)


def _check_names(names: list[str]) -> None:
    for name in names:
        if not NAME.fullmatch(name):
            raise SettingsError(
                f"wrong model name {name!r}: expected letters, digits, '_', '-' and '.'. "
                "Give another as NAME=DIR."
            )
        if names.count(name) > 1:
            raise SettingsError(
                f"two models are called {name!r}: each needs a name of its own. "
                "Give one as NAME=DIR."
            )


def _check_no_target_flags(options: argparse.Namespace) -> None:
    for flag in TARGET_FLAGS_OF_SERVE:
        if getattr(options, flag.dest):
            raise SettingsError(
                f"{flag.long} speaks of one model; found {len(options.models)} folders. "
                "Put it in the model-metadata.yaml of each."
            )


def _interpreter(python: str | None) -> str | None:
    import shutil

    found = shutil.which(python) if python else None
    if python and not found:
        raise SettingsError(f"no interpreter at {python!r}: expected the path of a Python program.")
    return str(Path(found).absolute()) if found else None
