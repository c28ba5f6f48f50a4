"""``polyhost server``: DRUM's command: one model at one address."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from typing import Any

from polyhost.cli import docker
from polyhost.cli.flags import add_flags, flags_of
from polyhost.cli.guarded import term_interrupts
from polyhost.cli.options import (
    check_labels,
    export_settings,
    fetch_files,
    model_spec,
    refuse_unserved,
)
from polyhost.cli.verify import verify
from polyhost.errors import PolyhostError, SettingsError
from polyhost.settings import Limits, ModelConfig, ServerSettings, Source

DEFAULT_PORT = 5000
MOST_WORKERS = 1000
PERF_TEST_MARK = "__DRUM_PERF_TEST_SERVER__"
"""Variable by which the server that a perf-test left behind is found, and it alone."""
REQUEST_TIMEOUT = 600.0
"""Seconds that a request may run unless DRUM_CLIENT_REQUEST_TIMEOUT says otherwise; 0: unlimited."""


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("server", help="serve one model, as DRUM does")
    add_flags(parser, flags_of("server"))
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Serve until asked to stop."""
    check_labels(options.parser, options)
    verify(options)
    refuse_unserved(options, flags_of("server"))
    if options.docker:
        return docker.run(options, flags_of("server"))
    measured = os.environ.pop(PERF_TEST_MARK, None) is not None  # its workers are not the server
    settings = replace(server_settings(options), measured=measured)
    from polyhost.server.run import serve

    return serve(settings)


def server_settings(options: argparse.Namespace) -> ServerSettings:
    """The server that the options describe, its one model resolved.

    With ``--with-error-server`` a model that cannot be prepared is not an error here: the server
    reports it to its callers.
    """
    host, port = split_address(options.address)
    models: tuple[ModelConfig, ...] = ()
    failure: PolyhostError | None = None
    try:
        models = (_hosted(options),)
    except PolyhostError as error:
        if not options.with_error_server:
            raise
        failure = error
    given = options.from_environment
    hosts = options.environment.get("POLYHOST__ALLOWED_HOSTS", "")
    return ServerSettings(
        address_host=host,
        port=port,
        url_prefix=options.environment.get("URL_PREFIX", ""),
        drum=True,
        models=models,
        show_perf=options.show_perf,
        verbose=options.verbose,
        show_stacktrace=options.show_stacktrace,
        strict_rows=options.strict_rows,
        with_error_server=options.with_error_server,
        failure=failure,
        logging_level=options.logging_level,
        log_format=options.log_format,
        access_log=options.access_log,
        deployment_config=options.deployment_config,
        allowed_hosts=tuple(filter(None, hosts.replace(" ", "").split(","))),
        sources={
            name: Source.ENVIRONMENT if flag in given else Source.FLAG
            for name, flag in (("address_host", "address"), ("port", "address"))
        },
    )


def _hosted(options: argparse.Namespace) -> ModelConfig:
    os.environ["ADDRESS"] = options.address  # model code reads it there
    export_settings(options)
    with term_interrupts():
        fetch_files(options)
    if options.deployment_config:
        from polyhost.codecs import deployment

        deployment.load(str(options.deployment_config))
    return ModelConfig(
        name=options.code_dir.name or "model",
        spec=model_spec(options),
        workers=_workers(options),
        limits=Limits(
            deadline=_steering("DRUM_CLIENT_REQUEST_TIMEOUT", REQUEST_TIMEOUT) or None,
            max_concurrency=options.max_concurrency,
        ),
        own_environment=True,
    )


def _workers(options: argparse.Namespace) -> int:
    asked = _steering("CUSTOM_MODEL_WORKERS")
    if asked > MOST_WORKERS:
        raise SettingsError(
            f"the runtime parameter CUSTOM_MODEL_WORKERS is {asked:g}: expected at most "
            f"{MOST_WORKERS}."
        )
    return max(1, int(asked) or options.max_workers)


def _steering(name: str, default: float = 0.0) -> float:
    """A runtime parameter that is meant for the server; 0 when it is not above 0."""
    from polyhost.code_dir.runtime_parameters import RuntimeParameterException, RuntimeParameters

    if not RuntimeParameters.has(name):
        return default
    try:
        return max(0.0, float(RuntimeParameters.get(name) or 0))
    except (RuntimeParameterException, TypeError, ValueError) as error:
        raise SettingsError(f"the runtime parameter {name} is no number: {error}") from error


def split_address(address: str) -> tuple[str, int]:
    """``host[:port]`` → host and port; an IPv6 address is in brackets."""
    host, colon, port = address.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = address, str(DEFAULT_PORT)
    if not host or not port.isdigit() or not 0 <= int(port) < 65536:
        raise SettingsError(
            f"wrong address {address!r}: expected HOST or HOST:PORT, such as localhost:8080."
        )
    return host.strip("[]"), int(port)
