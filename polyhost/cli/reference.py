"""``python -m polyhost.cli.reference`` prints docs/cli.md, made from the parsers themselves."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping

from polyhost.cli import (
    build_image,
    doctor,
    fit,
    install_drum,
    key,
    new,
    perf_test,
    push,
    reports,
    score_flags,
    serve,
    top,
    validation,
)
from polyhost.cli.flags import Flag, flags_of
from polyhost.cli.main import build_parser

INTRODUCTION = """\
# Command line

<!-- Made by `python -m polyhost.cli.reference > docs/cli.md`; a test compares it. -->

`polyhost score` scores one file with one model. `polyhost server` serves one model as DRUM does;
`polyhost serve` serves many, and `polyhost top` watches either. `polyhost fit` trains a model;
`polyhost validation` and `polyhost perf-test` try one, and `polyhost new model` starts one.
`polyhost doctor` checks which languages are usable here, and `polyhost --version` prints the version.

What is not said by a flag comes from the folder's `model-metadata.yaml`. Where both speak of the
target type or the labels they must agree, but for the order of multiclass labels: there the flag
wins.

## Exit codes

| Code | When |
|---|---|
| 0 | it worked; `serve` after it was asked to stop |
| 1 | an error: of the options, the model or the run; no command |
| 2 | arguments that cannot be parsed: an unknown flag, a missing one, a path that is not there |
| 130 | SIGINT or SIGTERM; `server` after it was asked to stop |
| 141 | nobody reads standard output any more; where it is full or closed, that is an error (1) |
| other | `score` only: the status with which the model's own code ended the process |

## Environment variables

A flag of `score` and `server` that has a variable takes its value from there when the flag is not
on the command line and the variable is not empty. Switches take `true` or `false` (`t`, `y`, `yes`,
`on`, `1` and their opposites). `CLASS_LABELS` is split at spaces; labels that hold spaces go in
`CLASS_LABELS_FILE`. Only the long name of a flag counts: with `-cd` and `CODE_DIR` the variable
wins, as in DRUM.

`TARGET_NAME` names the prediction column of a `textgeneration`, `vectordatabase` or
`agenticworkflow` model; `targetName` under `inferenceModel` in the metadata does too. `URL_PREFIX`
goes before every route of a server.
"""


def main() -> int:
    """Print the page."""
    sys.stdout.write(page())
    return 0


def page() -> str:
    """The whole of docs/cli.md."""
    parsers = _parsers()
    flags = {
        "score": score_flags.FLAGS,
        "server": flags_of("server"),
        "serve": (*serve.FLAGS, *serve.TARGET_FLAGS_OF_SERVE),
        "validation": validation.FLAGS,
        "perf-test": perf_test.FLAGS,
        "fit": fit.FLAGS,
        "new model": new.FLAGS,
        "push": push.FLAGS,
        "build-image": build_image.FLAGS,
        "install-drum-command": install_drum.FLAGS,
        "doctor": doctor.FLAGS,
        "reports": reports.FLAGS,
        "top": top.FLAGS,
        "key": key.FLAGS,
    }
    return INTRODUCTION + "".join(
        "\n" + "\n".join(_section(name, parsers[name.split()[0]], of)) + "\n"
        for name, of in flags.items()
    )


def _parsers() -> Mapping[str, argparse.ArgumentParser]:
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("the parser has no commands")


def _section(name: str, parser: argparse.ArgumentParser, flags: tuple[Flag, ...]) -> Iterator[str]:
    positional = [a for a in parser._actions if not a.option_strings and not a.choices]
    words = "".join(f" {action.metavar} ..." for action in positional)
    yield f"## polyhost {name}{words}\n"
    for action in positional:
        yield f"`{action.metavar}`: {action.help}.\n"
    yield "| Flag | Meaning | Default | Variable |"
    yield "|---|---|---|---|"
    yield from (_row(flag) for flag in flags if not flag.refused)
    refused = [f"`{flag.long}` ({flag.refused})" for flag in flags if flag.refused]
    if refused:
        yield f"\nNot supported, and refused with a message: {'; '.join(refused)}."


def _row(flag: Flag) -> str:
    names = ", ".join(f"`{name}`" for name in flag.names)
    choices = flag.options.get("choices")
    meaning = flag.help + (f": {', '.join(f'`{c}`' for c in choices)}" if choices else "")
    if flag.options.get("required"):
        default = "required"
    else:
        default = f"`{flag.options['default']}`" if "default" in flag.options else ""
    variable = ", else ".join(f"`{name}`" for name in (flag.env, flag.env_else) if name)
    return f"| {names} | {meaning} | {default} | {variable} |".replace("  ", " ")


if __name__ == "__main__":
    sys.exit(main())
