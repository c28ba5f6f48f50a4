"""Servers that hold many scenarios of one language: starting a runtime is what costs time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conformance import sparse_models
from conformance.builtin import Made, copy_builtin
from conformance.gaps import GAPS
from conformance.scenarios import BUILTIN, ON_A_SERVER, SCENARIOS, with_metadata
from support.command import UNOPTIMISED, Command
from support.direct_host import DirectHost
from support.made_models import made_models
from support.served import Served
from support.warm_command import WarmCommand, WarmProcess

from polyhost.bridges import bridge_for

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
def host_of(
    made: Callable[[str, str], Made], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Served]]:
    """``host_of(language)``: a server, started once, with models of that language.

    It has every one where a runtime can be forked, and those of ``ON_A_SERVER`` where each model
    starts its own. Each is loaded by its first request, but for the one that cannot be.
    """
    servers: dict[str, Served] = {}

    def host(language: str) -> Served:
        if language not in servers:
            into = tmp_path_factory.mktemp(f"models-{language}")
            config = into / "polyhost.yaml"
            models = {name: _hosted(name, language, made, into) for name in _names(language)}
            config.write_text(json.dumps({"models": models}), encoding="utf-8")
            folder = tmp_path_factory.mktemp("server")
            servers[language] = Served.start(
                folder, "--config", config, wait=False, env=UNOPTIMISED
            )
            servers[language].wait_answering("/models/raises_in_load/health/", 503)
        return servers[language]

    yield host
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="session")
def models_of(
    host_of: Callable[[str], Served],
    made: Callable[[str, str], Made],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Served | DirectHost]]:
    """``models_of(language)``: what answers ``/models/NAME/...`` for every model of a language.

    The server, or the same routes over one process of the language where a model's own takes long.
    """
    hosts: dict[str, DirectHost] = {}

    def host(language: str) -> Served | DirectHost:
        if _forks(language):
            return host_of(language)
        if language not in hosts:
            into = tmp_path_factory.mktemp(f"direct-{language}")
            hosts[language] = DirectHost(
                language, into, lambda name: _folder_of(name, language, made, into)
            )
        return hosts[language]

    yield host
    for each in hosts.values():
        each.close()


def _forks(language: str) -> bool:
    return bridge_for(language).warm_parent == language


def _names(language: str) -> list[str]:
    """The models of a language's server."""
    if not _forks(language):
        return [*ON_A_SERVER]
    names = [name for name in SCENARIOS if (name, language) not in GAPS]
    return [*names, *BUILTIN, *(sparse_models.NAMES if language in sparse_models.TEXTS else ())]


def _hosted(
    name: str, language: str, made: Callable[[str, str], Made], into: Path
) -> dict[str, object]:
    """A model of a configuration file."""
    return {
        "path": str(_folder_of(name, language, made, into)),
        "lazy": name != "raises_in_load",
        "limits": {"deadline": DEADLINE if name == "hangs_in_score" else "none"},
    }


def _folder_of(name: str, language: str, made: Callable[[str, str], Made], into: Path) -> Path:
    if name in BUILTIN:
        return made(language, name).with_metadata()
    if name in sparse_models.NAMES:
        return sparse_models.write(language, name, into)
    return with_metadata(SCENARIOS[name], language, into)
