"""A code dir, a cache of environments, and packages that come from no network."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.wheels import wheel

from polyhost.environments import Environments


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    """Installers see the wheels of the test, an empty cache and no network; the wheels' folder.

    A stand-in for numpy is among them: what an environment needs to be taken for good.
    """
    wheels = tmp_path / "wheels"
    wheel(wheels, "numpy", "9.9")
    wheel(wheels, "tiny", "1.0")
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return wheels


@pytest.fixture
def code_dir(tmp_path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    return folder


@pytest.fixture
def environments(tmp_path) -> Environments:
    return Environments(tmp_path / "environments")
