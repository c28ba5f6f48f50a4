"""What is looked at again and again goes on being looked at, whatever fails."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from polyhost.data.target import Target, TargetType
from polyhost.host.host import Host
from polyhost.host.sweeper import Sweeper
from polyhost.predictor import ModelSpec
from polyhost.settings import ModelConfig


def broken(now: float) -> None:
    raise KeyError("a mistake of ours")


def test_a_part_that_fails_ends_neither_itself_nor_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        looks: list[float] = []
        enough = asyncio.Event()

        def counted(now: float) -> None:
            looks.append(now)
            if len(looks) == 5:
                enough.set()

        sweeper = Sweeper(0.001)
        sweeper.parts += [broken, counted]
        sweeper.start()
        await asyncio.wait_for(enough.wait(), 10)
        sweeper.stop()
        assert looks == sorted(looks)

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    (record,) = caplog.records  # not one for each look
    assert record.exc_info is not None
    assert "broken failed" in record.getMessage()


def test_a_hosts_deadlines_outlive_a_fault_in_whatever_else_is_looked_at() -> None:
    async def scenario() -> None:
        host = Host(lambda *args: None, warm=False, adopt=False)
        spec = ModelSpec(Path("/nowhere"), "python", Target(TargetType.REGRESSION))
        looks: list[str] = []
        enough = asyncio.Event()
        for name in ("first", "second"):
            await host.deploy(ModelConfig(name, spec, lazy=True))
        host.models["first"].sweep = broken  # type: ignore[method-assign]

        def second(now: float) -> None:
            looks.append("second")
            if len(looks) > 3:
                enough.set()

        host.models["second"].sweep = second  # type: ignore[method-assign]
        host.on_sweep.append(broken)
        await host.start(())
        await asyncio.wait_for(enough.wait(), 10)
        await host.stop(0.0)

    asyncio.run(scenario())
