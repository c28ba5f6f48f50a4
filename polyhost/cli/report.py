"""How an error is printed on the terminal."""

from __future__ import annotations

import argparse
import sys
import traceback
from contextlib import suppress

from polyhost.errors import PolyhostError, SchemaViolation

FAILED = 1
VIOLATED = 3
INTERRUPTED = 130


def print_error(error: PolyhostError, *, stacktrace: bool) -> int:
    """Print an error, with its traceback in the model's own language when asked; the exit code:
    3 for data that violates a type schema, else 1."""
    with suppress(OSError):  # the exit code says it as well
        _print(error, stacktrace)
    return VIOLATED if isinstance(error, SchemaViolation) else FAILED


def _print(error: PolyhostError, stacktrace: bool) -> None:
    print(f"polyhost: {error.kind}: {error.message}", file=sys.stderr)
    native = error.facts.get("native_traceback")
    if stacktrace:
        print(native or "".join(traceback.format_exception(error)), file=sys.stderr)
    elif native:
        print("polyhost: --show-stacktrace prints where it happened.", file=sys.stderr)


def print_wrong_options(error: PolyhostError, parser: argparse.ArgumentParser) -> int:
    """Print what is wrong with the options and the command's help, on stdout; exit code 1."""
    print(f"{error.message}\n")
    parser.print_help()
    return FAILED


def progress(text: str) -> None:
    """Show what is being done, in place of what was; nothing where nobody looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def print_interrupted() -> int:
    """Say that a signal ended the run; exit code 130."""
    with suppress(OSError):
        print("\nCtrl+C pressed, stopped.", file=sys.stderr)
    return INTERRUPTED
