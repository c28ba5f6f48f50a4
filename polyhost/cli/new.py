"""``polyhost new model``: a folder with hooks that run as they are, to start a model from."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from polyhost.cli.flags import Flag, add_flags, flags_of, model_language, register
from polyhost.errors import SettingsError
from polyhost.files.replace import write_whole

SUFFIX = ".template"

_SHARED = ("show_stacktrace", "verbose", "logging_level")
FLAGS = (
    Flag(
        ("-cd", "--code-dir"),
        "folder to make; it must not be there yet",
        env="CODE_DIR",
        options={"required": True, "type": lambda text: Path(text).absolute(), "metavar": "DIR"},
    ),
    Flag(
        ("--language",),
        "language of the hooks",
        options={"required": True, "type": model_language, "metavar": "LANGUAGE"},
    ),
    *(flag for flag in flags_of("score") if flag.dest in _SHARED),
)
register("new", FLAGS)
_EARLY = tuple(flag for flag in FLAGS if flag.dest in ("verbose", "logging_level"))
"""May stand before ``model`` too."""


def add_to(commands: Any) -> None:
    """Add the command, and its one own command, to the parser's."""
    parser = commands.add_parser("new", help="start a model from a template")
    parser.set_defaults(run=lambda _: _tell_help(parser), parser=parser)
    add_flags(parser, _EARLY)
    model = parser.add_subparsers(dest="what", metavar="WHAT").add_parser(
        "model", help="make a folder with hooks"
    )
    add_flags(model, (_kept(flag) if flag in _EARLY else flag for flag in FLAGS))
    model.set_defaults(run=run, parser=model)


def _kept(flag: Flag) -> Flag:
    """The same flag, leaving what was said before ``model`` as it is where it is absent."""
    return replace(flag, options={**flag.options, "default": argparse.SUPPRESS})


def _tell_help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 1


def run(options: argparse.Namespace) -> int:
    """Make the folder and print what to do with it."""
    folder: Path = options.code_dir
    if folder.exists():
        options.parser.error(f"--code-dir: {folder} is there already; give a new folder")
    hooks = _template(options.language)
    name = hooks.name[: -len(SUFFIX)]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".polyhost-", dir=folder.parent) as place:
        new = Path(place) / folder.name
        new.mkdir()
        write_whole(new / name, hooks.read_bytes())
        readme = _readme(folder.name, name, options.language)
        write_whole(new / "README.md", readme.encode("utf-8"))
        new.rename(folder)  # whole, or not there
    print(f"Made {folder / name}. Try it: polyhost score --code-dir {folder} --input FILE.csv ...")
    return 0


def _template(of: str) -> Path:
    from polyhost.bridges import all_bridges, bridge_for

    found = sorted(bridge_for(of).template_folder.glob(f"*{SUFFIX}"))
    if not found:
        bridges = all_bridges().values()
        here = sorted(bridge.language for bridge in bridges if bridge.template_folder.is_dir())
        raise SettingsError(f"no template for {of}: expected one of {', '.join(here)}.")
    return found[0]


def _readme(name: str, file: str, of: str) -> str:
    from polyhost.bridges import TEMPLATES, bridge_for

    text = (TEMPLATES / f"README.md{SUFFIX}").read_text(encoding="utf-8")
    artifacts = ", ".join(f"`{ending}`" for ending in bridge_for(of).all_artifacts)
    return text.format(name=name, file=file, language=of, artifacts=artifacts)
