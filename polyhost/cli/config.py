"""``polyhost config``: what a server would run with, and where each value comes from."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from polyhost.cli.serve import add_arguments, configuration

if TYPE_CHECKING:
    from polyhost.config import Loaded


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("config", help="check the configuration, or show it")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="print every setting in effect, with its source")
    add_arguments(show)
    show.add_argument("--json", action="store_true", help="print JSON")
    show.set_defaults(run=run_show, parser=show)
    check = actions.add_parser("check", help="report every mistake at once")
    add_arguments(check)
    check.set_defaults(run=run_check, parser=check)


def run_show(options: argparse.Namespace) -> int:
    """Print settings by name; secrets are masked."""
    from polyhost.config.show import as_json, as_lines

    loaded = _load(options)
    if options.json:
        print(json.dumps(as_json(loaded), indent=2, ensure_ascii=False))
    else:
        print("\n".join(as_lines(loaded)))
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Load the configuration and its models' folders; mistakes end the command with 1."""
    loaded = _load(options)
    found = loaded.path or "command line"
    print(f"{found}: right; models: {', '.join(loaded.models) or 'none'}")
    return 0


def _load(options: argparse.Namespace) -> Loaded:
    loaded = configuration(options)
    if loaded.store is not None:
        loaded.store.close()
    return loaded
