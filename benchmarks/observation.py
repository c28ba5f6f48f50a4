"""What it costs to count one request, and to give it an id: microseconds, the best of many rounds.

python benchmarks/observation.py
"""

from __future__ import annotations

import asyncio
import time
import timeit
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from polyhost.data.target import Target, TargetType
from polyhost.host.observers import NOBODY, current
from polyhost.predictor import ModelSpec
from polyhost.server.dialects.drum import common_headers
from polyhost.server.http.asgi import respond
from polyhost.server.http.endpoint import Endpoint
from polyhost.server.http.request_id import request_id
from polyhost.server.watch.instrument import Instruments
from polyhost.settings import ModelConfig

MODEL = ModelConfig("m", ModelSpec(Path("/m"), "python", Target(TargetType.REGRESSION)))
HEADERS = [(b"host", b"localhost"), (b"content-type", b"application/json")]
ROUND, ROUNDS = 2000, 200


def handler_told(observer: Any) -> Callable[..., Awaitable[None]]:
    """A handler that answers at once, and a pool that tells this observer."""

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        headers = common_headers(scope)
        observer.served(current.get(), 0.0, 0.0003)
        await respond(send, 200, b"application/json", b"{}", headers)

    return handle


async def microseconds(handler: Callable[..., Awaitable[None]]) -> float:
    async def send(message: Any) -> None:
        return

    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(ROUND):
            await handler({"headers": HEADERS}, None, send)
        best = min(best, time.perf_counter() - began)
    return best / ROUND * 1e6


async def main() -> None:
    watch = Instruments()
    endpoint = Endpoint("POST", "/", handler_told(watch.of(MODEL)), "", protocol="drum")
    (watched,) = watch.watched([endpoint], MODEL)
    bare = await microseconds(handler_told(NOBODY))
    counted = await microseconds(watched.handler)
    print(f"a request: {bare:.2f} us bare, {counted:.2f} us counted: {counted - bare:.2f} us more")
    made = min(timeit.repeat(lambda: request_id({"headers": []}), number=ROUND, repeat=ROUNDS))
    uuid4 = min(timeit.repeat(lambda: str(uuid.uuid4()), number=ROUND, repeat=ROUNDS))
    print(f"an id: {made / ROUND * 1e6:.2f} us, against {uuid4 / ROUND * 1e6:.2f} us for uuid4")


if __name__ == "__main__":
    asyncio.run(main())
