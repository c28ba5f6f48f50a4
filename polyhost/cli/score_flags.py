"""The flags of ``polyhost score`` that DRUM's command does not have."""

from __future__ import annotations

import argparse
from pathlib import Path

from polyhost.cli.flags import SWITCH, Flag, at_least, flags_of

SCORE = frozenset({"score"})
INPUT_FORMATS = ("csv", "jsonl", "parquet", "arrow", "mtx")
OUTPUT_FORMATS = ("csv", "jsonl", "parquet", "arrow", "arrow-stream")


def input_name(text: str) -> Path | str:
    """A file or folder that is there, as a real path; else an address, a pattern or ``-``."""
    path = Path(text)
    if path.is_file() or path.is_dir():
        return path.resolve()
    if text == "-" or "://" in text or any(mark in text for mark in "*?["):
        return text
    raise argparse.ArgumentTypeError(f"no file at {text!r}")


def output_name(text: str) -> Path | str:
    """A file, as an absolute path; else an address or ``-``."""
    return text if text == "-" or "://" in text else Path(text).absolute()


def columns(text: str) -> tuple[str, ...]:
    """Names of columns, separated by commas; ``all`` is all of them."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected names separated by commas; found {text!r}")
    return names


BATCH_FLAGS = (
    Flag(
        ("--input-format",),
        "format of the inputs, where their names do not end with it",
        SCORE,
        options={"choices": INPUT_FORMATS},
    ),
    Flag(
        ("--output-format",),
        "format of the output, where its name does not end with it",
        SCORE,
        options={"choices": OUTPUT_FORMATS},
    ),
    Flag(
        ("--workers",),
        "processes that score at once; as many as there are cores for a model without hooks",
        SCORE,
        options={"type": at_least(1, 1000), "metavar": "N"},
    ),
    Flag(
        ("--chunk-rows",),
        "score so many rows at a time, also with hooks that may look across rows",
        SCORE,
        options={"type": at_least(1), "metavar": "N"},
    ),
    Flag(
        ("--resume",),
        "go on where an interrupted run with the same input, model and flags ended",
        SCORE,
        options=SWITCH,
    ),
    Flag(("--overwrite",), "replace an output that is there", SCORE, options=SWITCH),
    Flag(
        ("--on-error",),
        "what a row does that cannot be scored: end the run, be left out, or have empty answers",
        SCORE,
        options={"choices": ("fail", "skip", "null"), "default": "fail"},
    ),
    Flag(
        ("--rejects",),
        "CSV file for the rows that cannot be scored; OUTPUT.rejects.csv when absent",
        SCORE,
        options={"type": lambda text: Path(text).absolute(), "metavar": "FILE"},
    ),
    Flag(
        ("--passthrough",),
        "columns of the input to write after the answers, separated by commas, or all",
        SCORE,
        options={"type": columns, "metavar": "COLUMNS"},
    ),
    Flag(
        ("--id-column",),
        "column of the input to write before the answers",
        SCORE,
        options={"metavar": "COLUMN"},
    ),
    Flag(
        ("--sample",),
        "score the first N rows only, and print the columns in and out with the answers",
        SCORE,
        options={"type": at_least(1, 100_000), "metavar": "N"},
    ),
    Flag(
        ("--limit",),
        "score no more than the first N rows",
        SCORE,
        options={"type": at_least(1), "metavar": "N"},
    ),
    Flag(
        ("--engine",),
        "where the workers are: processes of this machine, or actors of a Ray cluster",
        SCORE,
        options={"choices": ("local", "ray"), "default": "local"},
    ),
    Flag(
        ("--ray-address",),
        "head node of the Ray cluster, HOST:PORT or auto; absent: RAY_ADDRESS, else this machine",
        SCORE,
        options={"metavar": "ADDRESS"},
    ),
    Flag(("--quiet",), "print no progress and no summary", SCORE, options=SWITCH),
)
_REPLACED = {
    "input": Flag(
        ("--input",),
        "data to score, CSV unless the name ends otherwise: files, folders of Parquet, patterns, "
        "addresses, or - for standard input",
        SCORE,
        options={"required": True, "nargs": "+", "type": input_name, "metavar": "FILE"},
    ),
    "output": Flag(
        ("--output",),
        "file or address for the predictions, - for standard output; a table is printed when absent",
        SCORE,
        options={"type": output_name, "metavar": "FILE"},
    ),
}
"""Flags that take more here than in DRUM's command, and in the other commands that share them."""
FLAGS = (*(_REPLACED.get(flag.dest, flag) for flag in flags_of("score")), *BATCH_FLAGS)
