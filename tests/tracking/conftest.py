"""One tracking server for all tests of this folder, filled once by MLflow's own client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mlflow_server import TrackingServer

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    server = TrackingServer.start(tmp_path_factory.mktemp("tracking"))
    try:
        server.seed(HERE / "seed.py")
        yield server
    finally:
        server.stop()
