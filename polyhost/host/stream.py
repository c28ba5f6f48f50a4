"""A streamed reply in the host: chunks that wait for the client, and what it has been granted."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Callable, Deque, Optional

from polyhost.errors import PolyhostError
from polyhost.wire.frames import STREAM_WINDOW


class ReplyStream:
    """An async iterator of chunks. The worker may be ahead by STREAM_WINDOW bytes, no more."""

    def __init__(self, grant: Callable[[int], None]) -> None:
        self._grant = grant
        self._chunks: Deque[bytes] = deque()
        self._taken = 0
        self._done = False
        self._error: Optional[PolyhostError] = None
        self._waiter: Optional[asyncio.Future[None]] = None
        self._left = False
        self.read_at = self.told_at = time.monotonic()
        """When its reader last took a chunk, and when its worker last sent one."""

    @property
    def behind(self) -> bool:
        """Chunks wait for the reader: it is not the worker that keeps the answer waiting."""
        return bool(self._chunks)

    def abandon(self) -> None:
        """Its reader is gone: chunks that still come are dropped."""
        self._left = True
        self._chunks.clear()

    def push(self, chunk: bytes) -> None:
        self.told_at = time.monotonic()
        if chunk and not self._left:
            self._chunks.append(chunk)
            self._wake()

    def finish(self, chunk: bytes = b"") -> None:
        self.push(chunk)
        self._done = True
        self._wake()

    def fail(self, error: PolyhostError) -> None:
        """The stream ends with this error, after the chunks that came before it."""
        self._error = error
        self.finish()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> ReplyStream:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._done:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        chunk = self._chunks.popleft()
        self._taken += len(chunk)
        self.read_at = time.monotonic()
        if self._taken >= STREAM_WINDOW // 4 and not self._done:
            self._grant(self._taken)
            self._taken = 0
        return chunk
