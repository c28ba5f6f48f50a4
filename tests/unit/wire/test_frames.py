"""The wire format: what is written is read back, in whatever pieces it arrives."""

from __future__ import annotations

import contextlib
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.wire import descriptors, frames
from polyhost.wire.frames import Frame, FrameFlag, FrameKind, Parser, ProtocolError

FRAMES = st.builds(
    Frame,
    kind=st.sampled_from([int(kind) for kind in FrameKind]),
    flags=st.sampled_from([0, 1, 4, 5]),
    id=st.integers(0, 2**64 - 1),
    meta=st.binary(max_size=40),
    body=st.binary(max_size=200),
    fd=st.none(),
)


def encode(frame: Frame) -> bytes:
    return frames.encode(frame.kind, frame.id, frame.meta, frame.body, frame.flags)


@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(1, 60), max_size=60))
def test_any_cut_of_the_stream_gives_the_same_frames(sent: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(encode(frame) for frame in sent)
    parser, got = Parser(), []
    position = 0
    for cut in [*cuts, len(stream)]:
        got.extend(parser.feed(stream[position : position + cut]))
        position += cut
    assert got == sent


@given(st.binary(min_size=20, max_size=60))
def test_garbage_is_refused_or_waits_but_never_crashes(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        for frame in Parser().feed(data):
            assert len(frame.body) <= frames.MAX_BODY


def test_specimen_of_version_1() -> None:
    """The documented bytes of docs/worker-protocol.md."""
    assert frames.PROTOCOL_VERSION == 1
    data = frames.encode(FrameKind.REQUEST, 7, b'{"op":"predict"}', b"a\n1\n")
    expected = "10000000 04000000 0700000000000000 01 00 0000".replace(" ", "")
    assert data[:20].hex() == expected
    assert data[20:] == b'{"op":"predict"}a\n1\n'


def test_lengths_over_the_limit_are_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        frames.encode(FrameKind.REQUEST, 1, body=bytes(frames.MAX_BODY + 1))
    header = frames.HEADER.pack(frames.MAX_META + 1, 0, 1, 1, 0, 0)
    with pytest.raises(ProtocolError, match="not a frame"):
        Parser().feed(header)


def test_a_body_crosses_as_a_descriptor() -> None:
    ours, theirs = socket.socketpair()
    fd = os.memfd_create("body")
    os.write(fd, b"large")
    descriptors.send(ours, frames.encode(FrameKind.REQUEST, 1, b"{}", flags=FrameFlag.FD), [fd])
    ours.send(frames.encode(FrameKind.CANCEL, 1))
    data, fds = descriptors.receive(theirs, 65536)
    parser = Parser()
    got = parser.feed(data, fds)
    while len(got) < 2:
        got.extend(parser.feed(*descriptors.receive(theirs, 65536)))
    assert got[0].fd is not None
    assert os.pread(got[0].fd, 10, 0) == b"large"
    assert got[1] == Frame(FrameKind.CANCEL, 0, 1, b"", b"")
    for descriptor in (fd, got[0].fd):
        os.close(descriptor)
    ours.close()
    theirs.close()


def test_what_follows_garbage_is_not_taken_for_a_frame() -> None:
    parser = Parser()
    for data in (b"this is no frame at all", frames.encode(FrameKind.REPLY, 1)):
        with pytest.raises(ProtocolError, match="not a frame"):
            parser.feed(data)


def test_a_missing_descriptor_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="none did"):
        Parser().feed(frames.encode(FrameKind.REQUEST, 1, flags=FrameFlag.FD))


def test_a_meta_that_is_no_object_is_a_protocol_error() -> None:
    for meta in (b"[1]", b"{", b"\xff"):
        with pytest.raises(ProtocolError):
            Frame(FrameKind.REQUEST, 0, 1, meta, b"").json()
