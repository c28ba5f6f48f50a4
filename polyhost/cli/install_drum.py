"""``polyhost install-drum-command``: a ``drum`` beside ``polyhost``, for scripts that can't change."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from polyhost.cli.flags import Flag, add_flags, existing_folder
from polyhost.errors import SettingsError
from polyhost.files.replace import write_whole

MARK = "# Written by polyhost install-drum-command."
SCRIPT = f"""#!{{python}}
{MARK}
import sys

from polyhost.cli import main

sys.exit(main(program="drum"))
"""
FLAGS = (
    Flag(
        ("--directory",),
        "folder for the command, instead of the one that holds polyhost",
        options={"type": existing_folder, "metavar": "DIR"},
    ),
)


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        "install-drum-command", help="put a command called drum beside polyhost"
    )
    add_flags(parser, FLAGS)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Write the script; DRUM's own is never overwritten."""
    place = (options.directory or Path(sys.executable).parent) / "drum"
    if (place.exists() or place.is_symlink()) and not _is_ours(place):
        raise SettingsError(
            f"{place} is there and is not polyhost's: expected no command of that name. "
            "Uninstall datarobot-drum first, or give another --directory."
        )
    try:
        write_whole(place, SCRIPT.format(python=sys.executable).encode("utf-8"), mode=0o755)
    except OSError as error:
        raise SettingsError(f"cannot write {place}: {error.strerror}. Give --directory.") from error
    print(f"Installed {place}")
    found = shutil.which("drum")
    if found is None or Path(found).resolve() != place.resolve():
        print(
            f"polyhost: `drum` is now {found or 'not found'}: put {place.parent} first on PATH.",
            file=sys.stderr,
        )
    return 0


def _is_ours(path: Path) -> bool:
    try:
        return MARK in path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
