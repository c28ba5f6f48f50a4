"""Java models in a process of their own: a JVM cannot be stopped, nor share with another runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.guest_process import GuestProcess, RemoteGuest
from support.made_models import made_models

from polyhost.data.target import Target, TargetType
from polyhost.predictor import ModelSpec

REGRESSION = Target(TargetType.REGRESSION)
IMPORTS = "import io.polyhost.*;\nimport java.nio.file.Path;\nimport java.util.*;\n"


@pytest.fixture(scope="session")
def java_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuestProcess]:
    """One process for every model."""
    process = GuestProcess(tmp_path_factory.mktemp("java"), DRUM_JAVA_XMX="512m")
    yield process
    process.close()


@pytest.fixture(scope="module")
def opened(
    java_process: GuestProcess, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., RemoteGuest]:
    """``opened(body)``: a model of the hooks in this class body, opened and loaded."""

    def open_(body: str, target: Target = REGRESSION, load: bool = True) -> RemoteGuest:
        code_dir = tmp_path_factory.mktemp("model")
        source = f"{IMPORTS}public class Custom implements Hooks {{\n{body}\n}}\n"
        (code_dir / "Custom.java").write_text(source, encoding="utf-8")
        guest = java_process.open(ModelSpec(code_dir, "java", target, Path("Custom.java")))
        if load and "load_model" in guest.hooks:
            guest.run_load_model()
        return guest

    return open_


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each scenario of make.py: model, input, and H2O's own predictions."""
    return made_models("java", tmp_path_factory)
