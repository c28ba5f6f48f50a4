"""Training on a running server: a worker of its own for each job, and what is known of the jobs."""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Awaitable, Callable, Deque, Dict, Mapping, Optional

from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidOutput, PolyhostError, TrainingRuns
from polyhost.host.host import Host
from polyhost.host.request import Body, Result
from polyhost.predictor import JOB
from polyhost.settings import ModelConfig

logger = logging.getLogger(__name__)

LINES = 50
"""Lines of what a training printed that are kept."""
Publish = Callable[[Path, Target], Awaitable[str]]
"""Makes a trained folder the version that answers; its name."""


@dataclass
class Training:
    """A training as clients see it. ``state``: ``running``, ``ok`` or ``failed``."""

    state: str = "running"
    step: str = "starting a worker"
    began: float = field(default_factory=time.time)
    ended: Optional[float] = None
    message: str = ""
    version: str = ""
    rows: Optional[int] = None
    output: Deque[str] = field(default_factory=lambda: deque(maxlen=LINES))

    def describe(self) -> Dict[str, Any]:
        """How it stands, as plain data."""
        found = {
            "status": self.state,
            "step": self.step,
            "started": self.began,
            "seconds": round((self.ended or time.time()) - self.began, 3),
            "rows": self.rows,
            "version": self.version or None,
            "message": self.message or None,
            "output": list(self.output),
        }
        return {name: value for name, value in found.items() if value is not None}


class Trainings:
    """The last training of each model; one runs at a time."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._last: Dict[str, Training] = {}

    def last(self, name: str) -> Optional[Training]:
        """The training that runs, or the last that did; None when there was none."""
        return self._last.get(name)

    async def run(self, config: ModelConfig, meta: bytes, body: Body, publish: Publish) -> Training:
        """Train a model and have ``publish`` take over what it left; the error that stopped it is
        raised. TrainingRuns while another of the same model runs."""
        name = config.name
        before = self._last.get(name)
        if before is not None and before.state == "running":
            raise TrainingRuns(
                f"model {name!r} is being trained already, since {before.describe()['seconds']} "
                "s. Wait for it: GET the same address shows how it stands.",
                retry_after=10,
            )
        training = self._last[name] = Training()
        logger.info("model %s: training begins", name)
        try:
            await self._train(training, config, meta, body, publish)
        except BaseException as error:
            message = error.message if isinstance(error, PolyhostError) else repr(error)
            training.state, training.message = "failed", message
            logger.error("model %s: training failed while %s: %s", name, training.step, message)
            raise
        finally:
            training.ended = time.time()
        training.state, training.step = "ok", "done"
        logger.info(
            "model %s: trained on %s rows in %.1f s, version %s answers now",
            *(name, training.rows, training.ended - training.began, training.version),
        )
        return training

    async def _train(
        self,
        training: Training,
        config: ModelConfig,
        meta: bytes,
        body: Body,
        publish: Publish,
    ) -> None:
        lines = _Lines(training.output)
        async with self._host.job(job_of(config), lines) as (pool, folder):
            training.step = "training"
            pending = pool.submit(meta, body, False)
            result: Result = await pending.waiter  # type: ignore[misc]
            found = json.loads(result.body)
            training.rows = found["rows"]
            place = Path(found["folder"]).resolve()
            if not place.is_relative_to(Path(folder).resolve()):
                raise InvalidOutput(
                    f"training left its model in {place}: expected a folder of its worker's own."
                )
            training.step = "storing the model and loading it"
            training.version = await publish(place, target_from(found["target"]))


def job_of(config: ModelConfig) -> ModelConfig:
    """The model as the worker that trains it gets it: no deadline, and one worker."""
    options = {**config.spec.options, JOB: "fit"}
    limits = replace(config.limits, deadline=None, max_rows=None, max_body=None)
    spec = replace(config.spec, options=options)
    return replace(config, spec=spec, limits=limits, workers=1, spares=0, lazy=False)


def target_from(found: Mapping[str, Any]) -> Target:
    """The target that a worker's reply, or a note in the store, names."""
    return Target(TargetType(found["type"]), tuple(found["labels"]), found["name"])


def target_to_plain(target: Target) -> Dict[str, Any]:
    """What :func:`target_from` reads."""
    return {"type": target.type.value, "labels": list(target.labels), "name": target.name}


class _Lines:
    """Takes output as it comes and keeps its last lines."""

    def __init__(self, kept: Deque[str]) -> None:
        self._kept = kept
        self._rest = b""

    def __call__(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-1000:]
        self._kept.extend(line.decode("utf-8", "replace")[:1000] for line in lines)
