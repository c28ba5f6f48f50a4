"""The stream between supervisor and fronts: all of it arrives, in order, whatever happens between."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from polyhost.server.fronts.channel import Channel, Message, encode


class End:
    """One end of a channel, and what it has heard."""

    def __init__(self, sock: socket.socket, name: str) -> None:
        self.heard: list[tuple[Message, int | None]] = []
        self.ended = asyncio.Event()
        self.more = asyncio.Event()
        self.refuse = False
        self.channel = Channel(sock, name, self.on_message, self.ended.set)

    def on_message(self, message: Message, fd: int | None) -> None:
        if "bad" in message:
            raise ValueError("cannot be used")
        self.heard.append((message, fd))
        self.more.set()

    async def until(self, count: int) -> None:
        while len(self.heard) < count:
            self.more.clear()
            await asyncio.wait_for(self.more.wait(), 20)


def with_channel(scenario: Callable[[End, End], Awaitable[None]]) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        one, two = End(ours, "one"), End(theirs, "two")
        try:
            await asyncio.wait_for(scenario(one, two), 60)
        finally:
            one.channel.close()
            two.channel.close()

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(main())
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_a_full_socket_does_not_take_is_sent_later() -> None:
    async def scenario(one: End, two: End) -> None:
        messages: list[Any] = [{"number": n, "text": "x" * 50_000} for n in range(200)]
        for message in messages:
            one.channel.send(message)
        await asyncio.sleep(0)
        assert one.channel.waiting > 1_000_000  # the socket holds far less than the ten megabytes
        await two.until(200)
        assert [message for message, _ in two.heard] == messages
        assert one.channel.waiting == 0

    with_channel(scenario)


def test_a_message_of_any_size_arrives_whole_with_its_descriptor() -> None:
    async def scenario(one: End, two: End) -> None:
        fd = os.memfd_create("file")
        os.write(fd, b"content")
        large = {"text": "y" * (9 << 20)}  # more than two frames
        one.channel.send(large, fd)
        one.channel.send({"small": 1})
        os.close(fd)
        await two.until(2)
        (message, found), after = two.heard
        assert message == large
        assert found is not None
        assert os.pread(found, 100, 0) == b"content"
        os.close(found)
        assert after == ({"small": 1}, None)

    with_channel(scenario)


def test_a_message_that_cannot_be_used_loses_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(one: End, two: End) -> None:
        for message in ({"a": 1}, {"bad": 1}, {"b": 2}):
            one.channel.send(message)
        await two.until(2)
        assert [message for message, _ in two.heard] == [{"a": 1}, {"b": 2}]

    with caplog.at_level(logging.ERROR):
        with_channel(scenario)
    assert "two: a message could not be used" in caplog.text


def test_the_end_of_one_side_is_heard_once_and_sending_then_is_no_error() -> None:
    async def scenario(one: End, two: End) -> None:
        two.channel.send({"last": 1})
        await asyncio.sleep(0)
        two.channel.close()
        await one.until(1)
        await asyncio.wait_for(one.ended.wait(), 20)
        one.channel.send({"nobody": 1})
        two.channel.send({"nobody": 1})
        assert not two.ended.is_set()

    with_channel(scenario)


def test_descriptors_that_were_never_sent_are_closed() -> None:
    async def scenario(one: End, two: End) -> None:
        fd = os.memfd_create("file")
        one.channel.send({"large": "z" * (30 << 20)})
        for _ in range(5):
            one.channel.send({"fd": 1}, fd)
        os.close(fd)
        await asyncio.sleep(0)
        one.channel.close()

    with_channel(scenario)


def test_bytes_that_are_no_frames_end_the_channel() -> None:
    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        end = End(ours, "one")
        theirs.send(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
        await asyncio.wait_for(end.ended.wait(), 20)
        theirs.close()

    asyncio.run(scenario())


def test_a_message_is_frames_of_four_mebibytes_at_most() -> None:
    sizes = [len(frame) for frame in encode({"text": "x" * (9 << 20)}, with_fd=True)]
    assert len(sizes) == 3
    assert max(sizes) <= (4 << 20) + 20
