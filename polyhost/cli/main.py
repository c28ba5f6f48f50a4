"""From arguments to an exit code.

0 success, 1 an error (of the options, the model or the run), 2 arguments that cannot be parsed,
3 data that violates the model's type schema, 130 SIGINT or SIGTERM, 141 nobody reads the output any
more. Nothing heavy is imported before the command is known.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from polyhost import __version__, logs
from polyhost.cli import (
    config,
    doctor,
    fit,
    install_drum,
    key,
    models,
    new,
    perf_test,
    push,
    reports,
    score,
    serve,
    server,
    top,
    validation,
)
from polyhost.cli.flags import with_environment
from polyhost.cli.report import tell, tell_interrupted, tell_wrong_options
from polyhost.cli.streams import guarded
from polyhost.cli.verify import WrongOptions
from polyhost.drum_compat import DRUM_VERSION
from polyhost.errors import PolyhostError

COMMANDS = (
    score,
    server,
    serve,
    validation,
    perf_test,
    fit,
    new,
    push,
    install_drum,
    config,
    doctor,
    reports,
    models,
    key,
    top,
)


def main(argv: Sequence[str] | None = None, program: str = "polyhost") -> int:
    """Run one command; the console script's entry point."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return guarded(lambda: _run(arguments, program))


def _run(arguments: Sequence[str], program: str) -> int:
    parser = build_parser(program)
    try:
        options = parse(parser, arguments, os.environ)
    except PolyhostError as error:
        return tell(error, stacktrace=False)
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
        return tell_wrong_options(error, options.parser)
    except PolyhostError as error:
        return tell(error, stacktrace=getattr(options, "show_stacktrace", False))
    except KeyboardInterrupt:
        return tell_interrupted()


def build_parser(program: str = "polyhost") -> argparse.ArgumentParser:
    """The parser of every command; building it imports no model library."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Serve trained models of several languages from the folder they were left in.",
    )
    parser.add_argument("--version", action="version", version=_version(program))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    parser.set_defaults(command=None)
    for module in COMMANDS:
        module.add_to(commands)
    return parser


def _version(program: str) -> str:
    if program == "drum":
        return f"{program} {DRUM_VERSION} (polyhost {__version__})"
    return f"{program} {__version__}"


def parse(
    parser: argparse.ArgumentParser, arguments: Sequence[str], environment: Mapping[str, str]
) -> argparse.Namespace:
    """Parse, environment twins added; ``options.from_environment`` names what they gave."""
    completed, from_environment = with_environment(arguments, environment)
    options = parser.parse_args(completed)
    options.from_environment = from_environment
    options.environment = environment
    return options


def _set_up_logging(options: argparse.Namespace) -> None:
    logs.configure(
        getattr(options, "logging_level", None) or "warning",
        format=getattr(options, "log_format", None) or "text",
        access=bool(getattr(options, "access_log", False)),
    )
