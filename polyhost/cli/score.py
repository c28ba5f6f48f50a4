"""``polyhost score``: one file through one model, in this process's own child."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyhost.batch.run_folder import refuse_existing
from polyhost.cli import docker, input_file
from polyhost.cli.flags import add_flags
from polyhost.cli.guarded import run_guarded
from polyhost.cli.options import (
    check_labels,
    export_settings,
    fetch_files,
    model_spec,
    refuse_unserved,
    spoken,
)
from polyhost.cli.score_flags import BATCH_FLAGS, FLAGS
from polyhost.cli.score_times import print_times
from polyhost.cli.verify import verify
from polyhost.errors import SettingsError
from polyhost.files.replace import write_whole

if TYPE_CHECKING:
    from polyhost.data.payload import Payload, Table
    from polyhost.pipeline.pipeline import Pipeline
    from polyhost.predictor import ModelSpec, Reply

DEFAULT_CONTENT_TYPE = "text/plain; charset=utf8"
LARGE = 8 << 20
"""Bytes of an input from which on it is scored in chunks, where the model allows it."""
CHUNKED_ENDINGS = (".jsonl", ".ndjson")
NOTHING = "The score_unstructured hook returned nothing (None, NULL, null).\n"
TYPES = {
    ".mtx": "text/mtx",
    ".arrow": "application/x-apache-arrow-stream",
    ".parquet": "application/vnd.apache.parquet",
}
"""By the end of the input's name, case counts; anything else is CSV."""


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("score", help="score a file with one model")
    add_flags(parser, FLAGS)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Score the input; guest code runs in a child, or in workers where the input may be large."""
    check_labels(options.parser, options)
    verify(options)
    refuse_unserved(options, FLAGS)
    check_output(options.output)
    given = spoken(options, BATCH_FLAGS)
    chunked = _is_chunked(options, given)
    if options.docker:
        if chunked:
            raise SettingsError(
                "--docker takes one file as --input, and a file as --output, without "
                f"{', '.join('--' + dest.replace('_', '-') for dest in given) or 'more'}."
            )
        options.input = options.input[0]
        return docker.run(options, FLAGS)
    export_settings(options)
    if chunked or _is_large(options):
        from polyhost.cli import score_batch

        return score_batch.score(options)
    options.input = options.input[0]
    if isinstance(options.output, Path) and not options.overwrite and not _is_drum(options):
        refuse_existing(options.output)
    return run_guarded(lambda: score(options), stacktrace=options.show_stacktrace)


def _is_chunked(options: argparse.Namespace, given: Mapping[str, object]) -> bool:
    """True where only chunks through workers do what was asked for."""
    path = options.input[0]
    plain = len(options.input) == 1 and isinstance(path, Path) and path.is_file()
    if not plain or isinstance(options.output, str) or set(given) - {"overwrite", "quiet"}:
        return True
    return options.output is not None and input_file.ending(path).lower() in CHUNKED_ENDINGS


def _is_large(options: argparse.Namespace) -> bool:
    """True for a file that is scored in chunks where the model allows it."""
    size = options.input[0].stat().st_size
    if options.output is None or size < LARGE or not options.output.parent.is_dir():
        return False
    from polyhost.data.target import TargetType

    return bool(model_spec(options).target.type is not TargetType.UNSTRUCTURED)


def _is_drum(options: argparse.Namespace) -> bool:
    return bool(options.parser.prog.startswith("drum"))


def check_output(output: Path | str | None) -> None:
    """SettingsError, before anything is loaded, where no file can be written."""
    if output is None or isinstance(output, str):
        return
    if output.is_dir():
        raise SettingsError(f"--output {output} is a folder: expected a file to write.")
    if not output.parent.is_dir():
        raise SettingsError(
            f"no folder {output.parent} for --output {output.name}: expected one that is there. "
            "Make it first."
        )


def score(options: argparse.Namespace) -> int:
    """Load the model, answer the input, write the answer."""
    from polyhost.pipeline.pipeline import open_predictor

    started = time.perf_counter()
    fetch_files(options)
    spec = model_spec(options)
    payload = read_payload(options, spec)
    predictor = open_predictor(spec)
    loaded = time.perf_counter()
    try:
        answer = _answer(predictor, spec, payload)
    finally:
        predictor.close()
    scored = time.perf_counter()
    _write(answer, options.output)
    if options.show_perf:
        print_times(started, loaded, scored)
    return 0


def read_payload(options: argparse.Namespace, spec: ModelSpec) -> Payload:
    """The input as the model gets it."""
    from polyhost.codecs import split_content_type
    from polyhost.data.payload import Payload
    from polyhost.data.target import TargetType

    if spec.target.type is TargetType.UNSTRUCTURED:
        body = options.input.read_bytes()
        mimetype, charset = split_content_type(options.content_type or DEFAULT_CONTENT_TYPE)
        return Payload(body, mimetype, charset, _query(options.query))
    parts = {}
    if options.sparse_column_file:
        parts["X.colnames"] = options.sparse_column_file.read_bytes()
    body = input_file.read(options.input, options.delimiter, options.charset)
    return Payload(body, TYPES.get(input_file.ending(options.input), "text/csv"), parts=parts)


def _query(text: str | None) -> tuple[tuple[str, str], ...]:
    """A URL query's pairs; blank values are dropped and the last of a repeated key wins."""
    from urllib.parse import parse_qsl

    return tuple(dict(parse_qsl(text or "")).items())


def _answer(predictor: Pipeline, spec: ModelSpec, payload: Payload) -> Table | Reply:
    from polyhost.data.target import TargetType

    if spec.target.type is TargetType.UNSTRUCTURED:
        return predictor.answer(payload)
    if spec.target.type is TargetType.TRANSFORM:
        return predictor.transform(payload)
    return predictor.predict(payload).together()


def _write(answer: Table | Reply, output: Path | None) -> None:
    from polyhost.data.payload import Table
    from polyhost.formats.csv import write_table

    if isinstance(answer, Table):
        if output is None:
            print(answer.to_pandas())
        else:
            _write_file(output, write_table(answer))
        return
    body = _body(answer)
    if output is None:
        sys.stdout.buffer.write(body + b"\n")
    else:
        _write_file(output, body)


def _write_file(output: Path, body: bytes) -> None:
    try:
        write_whole(output, body)
    except OSError as error:
        raise SettingsError(f"cannot write --output {output}: {error.strerror}.") from error


def _body(reply: Reply) -> bytes:
    from polyhost.formats.text import unstructured_output

    if reply.body is None:
        return NOTHING.encode()
    body, _ = unstructured_output(reply)
    return body if isinstance(body, bytes) else b"".join(body)
