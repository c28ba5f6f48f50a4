"""Servers that hold many scenarios of one language: starting a runtime is what costs time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conformance.builtin import Made, copy_builtin
from conformance.gaps import GAPS
from conformance.scenarios import BUILTIN, SCENARIOS, with_metadata
from support.command import Command
from support.made_models import made_models
from support.served import Served
from support.warm_command import WarmCommand, WarmProcess

DEADLINE = 3
"""Seconds that ``hangs_in_score`` may take."""


@pytest.fixture(scope="session")
def warm_processes(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], WarmProcess]]:
    """``warm_processes(language)``: the process in which ``score`` runs for that language."""
    started: dict[str, WarmProcess] = {}

    def get(language: str) -> WarmProcess:
        if language not in started:
            started[language] = WarmProcess(language, tmp_path_factory.mktemp(f"warm-{language}"))
        return started[language]

    yield get
    for process in started.values():
        process.close()


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The ``polyhost`` command in a process of its own, for what ends processes."""
    return Command(tmp_path)


@pytest.fixture
def polyhost(
    request: pytest.FixtureRequest,
    command: Command,
    warm_processes: Callable[[str], WarmProcess],
) -> Command | WarmCommand:
    """The ``polyhost`` command; ``score`` runs in one process for all tests of a language."""
    language = request.node.callspec.params.get("runtime")
    return WarmCommand(warm_processes(language), command.folder) if language else command


@pytest.fixture(scope="session")
def host_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Served]]:
    """``host_of(language)``: a server with every scenario of that language, started once.

    Each model is loaded by its first request, but for the one that cannot be.
    """
    servers: dict[str, Served] = {}

    def host(language: str) -> Served:
        if language not in servers:
            into = tmp_path_factory.mktemp(f"models-{language}")
            config = into / "polyhost.yaml"
            config.write_text(json.dumps({"models": _hosted(language, into)}), encoding="utf-8")
            folder = tmp_path_factory.mktemp("server")
            servers[language] = Served.start(folder, "--config", config, wait=False)
            servers[language].wait_answering("/models/raises_in_load/health/", 503)
        return servers[language]

    yield host
    for server in servers.values():
        server.stop()


def _hosted(language: str, into: Path) -> dict[str, dict[str, object]]:
    """The models of a configuration file: every scenario that the language has."""
    return {
        name: {
            "path": str(with_metadata(scenario, language, into)),
            "lazy": name != "raises_in_load",
            "limits": {"deadline": DEADLINE if name == "hangs_in_score" else "none"},
        }
        for name, scenario in SCENARIOS.items()
        if (name, language) not in GAPS
    }


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Made]:
    """``made(language, scenario)``: a copy of the builtin model."""
    models: dict[str, dict[str, Made]] = {}

    def get(language: str, scenario: str) -> Made:
        if language not in models:
            copies = tmp_path_factory.mktemp(f"builtin-{language}")
            models[language] = copy_builtin(made_models(language, tmp_path_factory), copies)
        return models[language][scenario]

    return get


@pytest.fixture(scope="session")
def builtin_host(
    made: Callable[[str, str], Made], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Served]]:
    """``builtin_host(language)``: a server with that language's builtin models."""
    servers: dict[str, Served] = {}

    def host(language: str) -> Served:
        if language not in servers:
            names = [f"{name}={made(language, name).with_metadata()}" for name in BUILTIN]
            servers[language] = Served.start(tmp_path_factory.mktemp("server"), *names)
        return servers[language]

    yield host
    for server in servers.values():
        server.stop()
