"""``polyhost predict``: one body of MLflow's protocol through a model, with MLflow's own flags."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyhost.cli.guarded import run_guarded
from polyhost.cli.model_source import model_folder
from polyhost.cli.score import check_output
from polyhost.errors import SettingsError
from polyhost.settings import OWN_ENVIRONMENTS

if TYPE_CHECKING:
    from polyhost.predictor import ModelSpec

LOCAL = "local"
TYPES: Mapping[str, str] = {"json": "application/json", "csv": "text/csv"}
FORMATS = ("split", "records")


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        "predict",
        help="answer one request of MLflow's protocol, as `mlflow models predict` does",
    )
    parser.add_argument(
        "-m",
        "--model-uri",
        required=True,
        metavar="SOURCE",
        help="folder, archive, or address (models:/NAME/1, runs:/ID/PATH, s3://, https://)",
    )
    parser.add_argument(
        "-i",
        "--input-path",
        type=Path,
        metavar="FILE",
        help="the request; standard input when absent",
    )
    parser.add_argument(
        "-o", "--output-path", type=Path, metavar="FILE", help="the answer; printed when absent"
    )
    parser.add_argument(
        "-t",
        "--content-type",
        choices=tuple(TYPES),
        default="json",
        help="what the request is [json]",
    )
    parser.add_argument(
        "-j",
        "--json-format",
        choices=FORMATS,
        help="layout of JSON as clients of MLflow 1.x sent it; the answer is theirs, too",
    )
    parser.add_argument(
        "--env-manager",
        choices=(LOCAL, *OWN_ENVIRONMENTS),
        default=LOCAL,
        help="what builds the model's environment from its own files; local: none is built [local]",
    )
    parser.add_argument(
        "--no-conda",
        dest="env_manager",
        action="store_const",
        const=LOCAL,
        help="the same as --env-manager local",
    )
    parser.add_argument(
        "--install-mlflow", action="store_true", help="install MLflow into the environment, too"
    )
    parser.add_argument(
        "-r",
        "--pip-requirements-override",
        metavar="LIST",
        help="requirements, with commas between, to install over the model's own",
    )
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="variable for the model's code; may be repeated",
    )
    parser.add_argument(
        "--show-stacktrace",
        action="store_true",
        help="print the native traceback of a model's error",
    )
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Answer the request; the model's code runs in a process of its own."""
    if options.content_type == "csv" and options.json_format:
        raise SettingsError("--json-format is of JSON: found --content-type csv. Leave one out.")
    more = _requirements(options)
    variables = _variables(options.env)
    check_output(options.output_path)
    body = _read(options.input_path)
    folder = model_folder(options.model_uri)
    return run_guarded(
        lambda: _predict(folder, options, body, more, variables),
        stacktrace=options.show_stacktrace,
    )


def _requirements(options: argparse.Namespace) -> tuple[str, ...]:
    """What is to be installed beside the model's own requirements."""
    text = options.pip_requirements_override or ""
    more = tuple(part.strip() for part in text.split(",") if part.strip())
    if options.install_mlflow:
        more = ("mlflow", *more)
    if more and options.env_manager == LOCAL:
        raise SettingsError(
            "--pip-requirements-override and --install-mlflow are for an environment that is "
            f"built: expected --env-manager {', '.join(OWN_ENVIRONMENTS)}; found {LOCAL}."
        )
    return more


def _variables(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise SettingsError(f"--env: expected NAME=VALUE; found {text!r}.")
        found[name] = value
    return found


def _read(path: Path | None) -> bytes:
    return sys.stdin.buffer.read() if path is None else path.read_bytes()


def _predict(
    folder: Path,
    options: argparse.Namespace,
    body: bytes,
    more: tuple[str, ...],
    variables: dict[str, str],
) -> int:
    from polyhost.code_dir.spec import spec_of
    from polyhost.settings import TargetSettings

    spec = spec_of(folder, TargetSettings(), options={}, infer=True)
    answer = _ask(spec, options, body, more, variables)
    if options.output_path is None:
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.buffer.flush()
    else:
        from polyhost.files.replace import write_whole

        write_whole(options.output_path, answer)
    return 0


def _ask(
    spec: ModelSpec,
    options: argparse.Namespace,
    body: bytes,
    more: tuple[str, ...],
    variables: dict[str, str],
) -> bytes:
    """The model's answer, in the environment that was asked for."""
    if options.env_manager == LOCAL or spec.language != "python":
        return _answer(spec, None, options, body, variables)
    from polyhost.environments import Environments

    environment = Environments().get(spec.code_dir, manager=options.env_manager, more=more)
    try:
        own = {**environment.variables, **variables}
        return _answer(spec, environment.python, options, body, own)
    finally:
        environment.release()


def _answer(
    spec: ModelSpec,
    python: str | None,
    options: argparse.Namespace,
    body: bytes,
    variables: dict[str, str],
) -> bytes:
    from polyhost.codecs import Request
    from polyhost.embed.worker_model import BackgroundModel, HostOptions

    content_type = TYPES[options.content_type]
    if options.json_format:
        content_type += f"; format=pandas-{options.json_format}"
    request = Request("predict", "mlflow", content_type, "", ())
    host = HostOptions(warm=python is None, environment=variables, on_output=_print_output)
    model = BackgroundModel(spec, python, 1, host)
    try:
        _, answer = model.submit(request, (body,), retry=False).result()
    finally:
        model.close()
    return answer


def _print_output(model: str, stream: str, data: bytes, pid: int, request: str) -> None:
    """What the model prints goes to standard error: standard output is the answer's."""
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()
