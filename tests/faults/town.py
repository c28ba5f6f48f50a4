"""A server with models of one language that obey, and a neighbour that must not notice."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from support.served import Served

MODELS = Path(__file__).with_name("models")
STEADY = "obeys/python"
"""The neighbour is of one language whatever the town's: what is tested is the host between them."""

MEMORY_LIMIT = "1GiB"
DEADLINE = 4
NEVER = 2
"""Seconds after which a model that never loads is given up."""


def rows(*orders: str, first: int = 1) -> str:
    """A CSV body: a row for each order, ``a`` counting from ``first``."""
    lines = (f"{first + i},{order}" for i, order in enumerate(orders))
    return "\n".join(["a,order", *lines]) + "\n"


def json_rows(*orders: str, first: int = 1) -> str:
    """The same as JSON, which may share a call with others."""
    data = [[first + i, order] for i, order in enumerate(orders)]
    return json.dumps({"dataframe_split": {"columns": ["a", "order"], "data": data}})


@dataclass(frozen=True)
class Left:
    """What belongs to a server: compared before and after."""

    processes: int
    descriptors: int
    temporary: int
    files: tuple[str, ...]


@dataclass
class Town:
    """A server whose models ``obeys``, ``shares`` (batching on, a spare) and ``steady`` are up."""

    language: str
    served: Served
    broken: list[str] = field(default_factory=list)
    asked: int = 0

    @classmethod
    def start(cls, language: str, folder: Path, fronts: int = 1) -> Town:
        """Start it; returns when the models that can load have loaded."""
        obeys = {"path": str(MODELS / "obeys" / language), "target": "regression"}
        never = {"path": str(MODELS / "never_loads" / language), "target": "regression"}
        models = {
            "steady": {"path": str(MODELS / STEADY), "target": "regression"},
            "obeys": {**obeys, "limits": {"deadline": DEADLINE}},
            "shares": {
                **obeys,
                "batching": {"mode": "on", "max_batch": 8},
                "spares": 1,
                "limits": {"memory": MEMORY_LIMIT},
            },
            "never": {**never, "limits": {"load_timeout": NEVER}},
        }
        settings = {
            "fronts": fronts,
            "models": models,
            "admin": {"enabled": True, "roots": [str(MODELS)]},
        }
        config = folder / "polyhost.yaml"
        config.write_text(json.dumps(settings), encoding="utf-8")
        served = Served.start(folder, "--config", config, wait=False)
        for model in ("steady", "obeys", "shares"):
            served.wait_answering(f"/models/{model}/health/")
        town = cls(language, served)
        town.until(lambda: len(town.pids("shares")) == 2)
        town.until(lambda: town.describe("never")["state"] == "failed" and not town.pids("never"))
        return town

    # Asking

    def ask(self, *orders: str, model: str = "obeys", first: int = 1) -> httpx.Response:
        """One request with a row for each order."""
        return self.served.post(f"/models/{model}/predict/", rows(*orders, first=first))

    def answers(self, model: str = "obeys") -> bool:
        """A plain request is answered rightly; waits for a worker that is coming."""
        reply = self.ask("none", "none", model=model, first=10)
        assert reply.status_code == 200, reply.text
        return reply.json() == {"predictions": [11.0, 12.0]}

    def together(self, *asks: Callable[[], httpx.Response]) -> list[httpx.Response]:
        """Replies to requests that are asked at the same time."""
        with ThreadPoolExecutor(len(asks)) as pool:
            return [reply.result() for reply in [pool.submit(ask) for ask in asks]]

    def describe(self, model: str) -> dict[str, object]:
        found: dict[str, object] = self.served.client.get(f"/admin/models/{model}").json()
        return found

    def pids(self, model: str = "obeys") -> list[int]:
        """Pids of a model's workers."""
        return list(self.describe(model)["pids"])  # type: ignore[call-overload]

    def until(self, done: Callable[[], bool], seconds: float = 60) -> None:
        """Wait for something that must become true."""
        limit = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < limit, f"not so within {seconds} s\n{self.served.err[-4000:]}"
            time.sleep(0.05)

    # The neighbour

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """A steady stream of requests to the neighbour: none may fail meanwhile."""
        stop = threading.Event()
        thread = threading.Thread(target=self._stream, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        assert self.asked
        assert not self.broken

    def _stream(self, stop: threading.Event) -> None:
        url = f"http://127.0.0.1:{self.served.port}/models/steady/predict/"
        body, expected = rows("none", first=41), {"predictions": [42.0]}
        with httpx.Client(timeout=30, trust_env=False) as client:
            while not stop.wait(0.02):
                reply = client.post(url, content=body, headers={"Content-Type": "text/csv"})
                self.asked += 1
                if reply.status_code != 200 or reply.json() != expected:
                    self.broken.append(f"{reply.status_code} {reply.text}")

    # What is left

    def family(self) -> list[psutil.Process]:
        """Every process below the host."""
        return psutil.Process(self.served.process.pid).children(recursive=True)

    def left(self) -> Left:
        """What the server has now."""
        files = (path.name for path in self.served.folder.iterdir())
        return Left(
            processes=len(self.family()),
            descriptors=self.served.descriptors(),
            temporary=len(list((self.served.folder / "tmp").iterdir())),
            files=tuple(sorted(files)),
        )

    def threads(self) -> int:
        return psutil.Process(self.served.process.pid).num_threads()
