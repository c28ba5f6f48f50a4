"""``polyhost key``: make an API key, or hash one that exists."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from polyhost.cli.flags import Flag, add_flags
from polyhost.errors import SettingsError

FLAGS = (
    Flag(("--name",), "what logs call it", options={"default": "client", "metavar": "NAME"}),
    Flag(
        ("--role",),
        "what it opens",
        options={"default": "predict", "choices": ("predict", "admin")},
    ),
    Flag(
        ("--model",),
        "a model that it opens, may be repeated; without, it opens all",
        options={"action": "append", "metavar": "NAME"},
    ),
)


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("key", help="make an API key for a server")
    parser.add_argument(
        "action",
        choices=("new", "hash"),
        metavar="ACTION",
        help="`new` makes a key and prints it once, to standard output; `hash` reads one from "
        "standard input. Both print the entry for the configuration file, which holds its SHA-256",
    )
    add_flags(parser, FLAGS)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Print the key, if it is new, and its entry."""
    from polyhost.server.auth import digest_of, new_key

    if options.action == "new":
        key = new_key()
        print(key, flush=True)
    else:
        key = _read()
    sys.stderr.write(_entry(options, digest_of(key)))
    return 0


def _read() -> str:
    key = sys.stdin.readline().rstrip("\r\n")
    if len(key) < 16:
        raise SettingsError(
            f"expected a key of at least 16 characters on standard input; found {len(key)}. A key "
            "that can be guessed is none: `polyhost key new` makes one."
        )
    return key


def _entry(options: argparse.Namespace, digest: str) -> str:
    lines = ["keys:", f"  - name: {options.name}", f"    sha256: {digest}"]
    if options.role != "predict":
        lines.append(f"    role: {options.role}")
    if options.model:
        lines.append(f"    models: [{', '.join(options.model)}]")
    return "\n".join(lines) + "\n"
