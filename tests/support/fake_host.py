"""A host without processes: what is deployed is noted, and loads unless it is told to fail."""

from __future__ import annotations

from typing import Any

from polyhost.errors import LoadError, PolyhostError
from polyhost.host.pool import State
from polyhost.settings import ModelConfig


class FakeModel:
    def __init__(self, hosted: ModelConfig) -> None:
        self.config = hosted
        self.state = State.READY
        self.failure: PolyhostError | None = None
        self.replicas = hosted.workers

    async def scale(self, replicas: int) -> None:
        self.replicas = replicas

    def describe(self) -> dict[str, Any]:
        return {"name": self.config.name, "version": self.config.version, "state": self.state.value}


class FakeHost:
    """``refuses``: names of models that do not load."""

    def __init__(self) -> None:
        self.models: dict[str, FakeModel] = {}
        self.refuses: set[str] = set()

    async def start(self, models: tuple[ModelConfig, ...]) -> None:
        for hosted in models:
            await self.deploy(hosted)

    async def deploy(self, hosted: ModelConfig) -> bool:
        if hosted.name in self.refuses:
            model = self.models.setdefault(hosted.name, FakeModel(hosted))
            model.failure = LoadError("it does not load")
            return False
        self.models[hosted.name] = FakeModel(hosted)
        return True

    async def remove(self, name: str, grace: float = 30.0) -> None:
        del self.models[name]

    def served(self) -> dict[str, str]:
        """What is there: the source's first line by name."""
        return {
            name: (model.config.spec.code_dir / "custom.py").read_text().splitlines()[0]
            for name, model in self.models.items()
        }
