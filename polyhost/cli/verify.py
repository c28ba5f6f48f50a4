"""Checks of options that belong together; a failure is printed with the command's help, exit code 1.

They are DRUM's, made on every run, whether or not the flags they look at have an effect here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from polyhost.data.target import TargetType
from polyhost.errors import SettingsError, WrongOptions

REPORTING = ("deployment_id", "model_id", "monitor_settings")
EMBEDDED = ("deployment_id", "model_id", "webserver", "api_token")
ACCESS = ("webserver", "api_token")


def verify(options: argparse.Namespace) -> None:
    """Check what a command has of the options; WrongOptions for the first that is wrong."""
    if "triton_host" in options:
        _check_triton(options)
    if "monitor" in options:
        _check_monitoring(options)
    if "production" in options and options.production and not options.max_workers:
        raise WrongOptions("--production needs workers: give --max-workers above 0.")
    if "skip_deps_install" in options and options.skip_deps_install and not options.docker:
        raise WrongOptions("--skip-deps-install needs --docker: without it nothing is installed.")
    if "query" in options:
        check_unstructured(options)


def check_unstructured(options: argparse.Namespace) -> None:
    """``--query`` and ``--content-type`` are for unstructured models only."""
    found = target_type(options)
    if found in (None, TargetType.UNSTRUCTURED.value):
        return
    for flag, value in (("--query", options.query), ("--content-type", options.content_type)):
        if value is not None:
            raise WrongOptions(
                f"{flag} is for unstructured models; found target type {found}. Leave it out."
            )


def target_type(options: argparse.Namespace) -> str | None:
    """By flag, environment or metadata; None when they do not say, which others report."""
    if options.target_type:
        return str(options.target_type)
    from polyhost.code_dir.metadata import read

    try:
        metadata = read(Path(options.code_dir))
    except SettingsError:
        return None
    return None if metadata is None else metadata.target_type


def _check_monitoring(options: argparse.Namespace) -> None:
    if options.monitor and options.monitor_embedded:
        options.parser.error("--monitor and --monitor-embedded exclude each other")
    unstructured = target_type(options) == TargetType.UNSTRUCTURED.value
    if options.monitor and unstructured:
        raise WrongOptions(
            "MLOps monitoring can not be used in unstructured mode: --monitor is for structured "
            "models. Let the model report by itself, with --monitor-embedded."
        )
    if options.monitor_embedded and not unstructured:
        raise WrongOptions(
            f"--monitor-embedded is for unstructured models; found target type "
            f"{target_type(options)}. Give --monitor."
        )
    for switch, needed in (
        ("monitor", REPORTING),
        ("monitor_embedded", EMBEDDED),
        ("allow_dr_api_access", ACCESS),
    ):
        if getattr(options, switch):
            _check_given(options, switch, needed)


def _check_given(options: argparse.Namespace, switch: str, needed: Sequence[str]) -> None:
    missing = [_flag(name) for name in needed if not getattr(options, name)]
    if missing:
        raise WrongOptions(
            f"{_flag(switch)} needs {', '.join(map(_flag, needed))}; missing: "
            f"{', '.join(missing)}. Give them, or their environment variables."
        )


def _flag(dest: str) -> str:
    return "--" + dest.replace("_", "-")


def _check_triton(options: argparse.Namespace) -> None:
    try:
        url = urlsplit(options.triton_host)
        right = bool(url.scheme and url.hostname)
    except ValueError:
        right = False
    if not right:
        raise WrongOptions(
            f"wrong --triton-host {options.triton_host!r}: expected an address with a scheme and "
            "a host, such as http://localhost."
        )
    ports = (options.triton_http_port, options.triton_grpc_port)
    if min(ports) <= 0 or ports[0] == ports[1]:
        raise WrongOptions(
            "--triton-http-port and --triton-grpc-port must be positive and differ from each "
            f"other; found {ports[0]} and {ports[1]}."
        )
