"""From arguments to an exit code.

0 success, 1 an error (of the options, the model or the run), 2 arguments that cannot be parsed,
3 data that violates the model's type schema, 130 SIGINT or SIGTERM, 141 nobody reads the output any
more. Nothing heavy is imported before the command is known.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence

from polyhost import __version__
from polyhost.cli.report import print_error, print_interrupted, print_wrong_options
from polyhost.cli.streams import guarded
from polyhost.drum_compat import DRUM_VERSION
from polyhost.errors import PolyhostError, WrongOptions

COMMANDS: Mapping[str, str] = {
    "score": "score",
    "predict": "predict",
    "server": "server",
    "serve": "serve",
    "validation": "validation",
    "perf-test": "perf_test",
    "fit": "fit",
    "new": "new",
    "push": "push",
    "build-image": "build_image",
    "install-drum-command": "install_drum",
    "config": "config",
    "doctor": "doctor",
    "reports": "reports",
    "models": "models",
    "key": "key",
    "top": "top",
}
"""Commands, and the module of each; one is imported when it is the one to run, or for the help."""


def main(argv: Sequence[str] | None = None, program: str = "polyhost") -> int:
    """Run one command; the console script's entry point."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return guarded(lambda: _run(arguments, program))


def _run(arguments: Sequence[str], program: str) -> int:
    try:
        return _command(arguments, program)
    except KeyboardInterrupt:  # also while modules are imported
        return print_interrupted()


def _command(arguments: Sequence[str], program: str) -> int:
    command = arguments[0] if arguments else ""
    if command == "--version":
        print(_version(program))
        return 0
    parser = build_parser(program, command)
    try:
        options = parse(parser, arguments, os.environ)
    except PolyhostError as error:
        return print_error(error, stacktrace=False)
    if options.command is None:
        parser.print_help()
        return 1
    _set_up_logging(options)
    if getattr(options, "verbose", False):
        print(f"Detected {options.command} mode", flush=True)
    try:
        code: int = options.run(options)
        return code
    except WrongOptions as error:
        return print_wrong_options(error, options.parser)
    except PolyhostError as error:
        return print_error(error, stacktrace=getattr(options, "show_stacktrace", False))


def build_parser(program: str = "polyhost", command: str = "") -> argparse.ArgumentParser:
    """The parser of one command, or of all where ``command`` is none of them."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Serve trained models of several languages from the folder they were left in.",
    )
    parser.add_argument("--version", action="version", version=_version(program))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    parser.set_defaults(command=None)
    for name in [command] if command in COMMANDS else COMMANDS:
        importlib.import_module(f"polyhost.cli.{COMMANDS[name]}").add_to(commands)
    return parser


def _version(program: str) -> str:
    if program == "drum":
        return f"{program} {DRUM_VERSION} (polyhost {__version__})"
    return f"{program} {__version__}"


def parse(
    parser: argparse.ArgumentParser, arguments: Sequence[str], environment: Mapping[str, str]
) -> argparse.Namespace:
    """Parse, environment twins added; ``options.from_environment`` names what they gave."""
    from polyhost.cli.flags import with_environment

    completed, from_environment = with_environment(arguments, environment)
    options = parser.parse_args(completed)
    options.from_environment = from_environment
    options.environment = environment
    return options


def _set_up_logging(options: argparse.Namespace) -> None:
    from polyhost import logs

    logs.configure(
        getattr(options, "logging_level", None) or "warning",
        format=getattr(options, "log_format", None) or "text",
        access=bool(getattr(options, "access_log", False)),
    )
