"""Julia models in a process of their own: it must not share one with a JVM."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.guest_process import GuestProcess, RemoteGuest

from polyhost.data.target import Target, TargetType
from polyhost.predictor import ModelSpec

REGRESSION = Target(TargetType.REGRESSION)


@pytest.fixture(scope="session")
def julia_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuestProcess]:
    """One process for every model: starting Julia is what costs time."""
    process = GuestProcess(tmp_path_factory.mktemp("julia"))
    yield process
    process.close()


@pytest.fixture(scope="module")
def opened(
    julia_process: GuestProcess, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., RemoteGuest]:
    """``opened(custom_jl)``: that model, opened and loaded."""

    def open_(custom: str, target: Target = REGRESSION, load: bool = True) -> RemoteGuest:
        code_dir = tmp_path_factory.mktemp("model")
        (code_dir / "custom.jl").write_text(custom, encoding="utf-8")
        guest = julia_process.open(ModelSpec(code_dir, "julia", target, Path("custom.jl")))
        if load and "load_model" in guest.hooks:
            guest.run_load_model()
        return guest

    return open_


@pytest.fixture(scope="session")
def julia() -> str:
    """The executable that a user would type."""
    return os.environ.get("POLYHOST_JULIA") or shutil.which("julia") or "julia"
