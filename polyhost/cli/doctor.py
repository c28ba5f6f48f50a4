"""``polyhost doctor``: which languages can be served here, and what to do about the others."""

from __future__ import annotations

import argparse
import platform
import sys
from typing import Any

from polyhost import __version__
from polyhost.cli.flags import Flag, add_flags, language

FLAGS = (
    Flag(
        ("--language",),
        "look at this language only; the exit code is then 1 when it is not usable",
        options={"type": language, "metavar": "LANGUAGE"},
    ),
)


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("doctor", help="check which languages are usable here")
    add_flags(parser, FLAGS)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Look, print, and fail only for a language that was asked for by name."""
    from polyhost.bridges import all_bridges
    from polyhost.bridges.doctor import examine, is_usable

    languages = [options.language] if options.language else list(all_bridges())
    print(f"polyhost {__version__}, Python {platform.python_version()} ({sys.executable})")
    results = examine(languages)
    for name, findings in results.items():
        print(f"\n{name}: {'usable' if is_usable(findings) else 'NOT usable'}")
        for finding in findings:
            print(f"  {'ok     ' if finding.ok else 'missing'}  {finding.what}: {finding.found}")
            if finding.fix and not finding.ok:
                print(f"           fix: {finding.fix}")
    usable = all(is_usable(findings) for findings in results.values())
    return 0 if usable or not options.language else 1
