"""Models, a configuration and a fake host for deployments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.fake_host import FakeHost

from polyhost.config import load
from polyhost.deploy.deployer import Deployer


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """The folder that models may come from."""
    folder = tmp_path / "roots"
    folder.mkdir()
    return folder


@pytest.fixture
def model(roots: Path) -> Callable[..., str]:
    """Writes a code dir there; its path as text."""

    def write(name: str, text: str = "# one", metadata: str = "targetType: regression\n") -> str:
        folder = roots / name
        folder.mkdir(exist_ok=True)
        (folder / "custom.py").write_text(text, encoding="utf-8")
        (folder / "model-metadata.yaml").write_text(metadata, encoding="utf-8")
        return str(folder)

    return write


@pytest.fixture
def configure(tmp_path: Path, roots: Path) -> Callable[..., Path]:
    """Writes the configuration."""

    def write(models: str = "{}", more: str = "", admin: str = "") -> Path:
        path = tmp_path / "polyhost.yaml"
        path.write_text(
            f"models: {models}\n"
            f"admin: {{enabled: true, roots: [{roots}]{admin}}}\n"
            f"store: {{path: {tmp_path / 'store'}, desired: {tmp_path / 'desired.json'}}}\n{more}",
            encoding="utf-8",
        )
        return path

    return write


@pytest.fixture
def start(tmp_path: Path):
    """Starts a deployment over a fake host, as a server does."""
    started: list[Deployer] = []

    async def begin(renew=lambda settings: None) -> tuple[Deployer, FakeHost]:
        def read():
            return load(tmp_path / "polyhost.yaml", {}, {})

        host, loaded = FakeHost(), read()
        deployment = Deployer(host, loaded.settings, read, loaded, renew)  # type: ignore[arg-type]
        started.append(deployment)
        await host.start(loaded.settings.models)
        await deployment.reconcile()
        return deployment, host

    yield begin
    for deployment in started:
        deployment.close()
