"""Marks in a guest's output: what is between them belongs to the request they name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from polyhost.wire.output_marks import Marker, MarkReader, new_token

TOKEN = "0123456789abcdef"


def mark(id: int, token: str = TOKEN) -> bytes:
    return b"\x1epolyhost:%s:%d\x1e" % (token.encode(), id)


OUTPUT = b"load\n" + mark(7) + b"a\nb" + mark(0) + b"idle\n" + mark(12) + b"c\n" + mark(0)
PIECES = [(0, b"load\n"), (7, b"a\nb"), (0, b"idle\n"), (12, b"c\n")]


def joined(
    pieces: Iterator[tuple[int, bytes]] | list[tuple[int, bytes]],
) -> list[tuple[int, bytes]]:
    """Neighbours of one id as one piece."""
    found: list[tuple[int, bytes]] = []
    for id, piece in pieces:
        if found and found[-1][0] == id:
            found[-1] = (id, found[-1][1] + piece)
        else:
            found.append((id, piece))
    return found


@pytest.mark.parametrize("step", [1, 2, 3, 7, 20, 64, 1000])
def test_output_is_told_apart_however_it_is_cut(step: int) -> None:
    reader = MarkReader(TOKEN)
    pieces: list[tuple[int, bytes]] = []
    for start in range(0, len(OUTPUT), step):
        pieces += reader.split("stdout", OUTPUT[start : start + step])
    assert joined(pieces) == PIECES


def test_streams_are_marked_apart() -> None:
    reader = MarkReader(TOKEN)
    assert list(reader.split("stdout", mark(5) + b"x")) == [(5, b"x")]
    assert list(reader.split("stderr", b"y")) == [(0, b"y")]


@pytest.mark.parametrize(
    "text",
    [
        b"a\x1eb\n",
        b"\x1e\x1e\x1e",
        mark(3, "ffffffffffffffff"),
        b"\x1epolyhost:" + b"z" * 200,
        b"\x1epolyhost:0123456789abcdef:" + b"9" * 200 + b"\n",
    ],
    ids=["separator", "separators", "other token", "long", "never closed"],
)
def test_what_only_looks_like_a_mark_is_output(text: bytes) -> None:
    reader = MarkReader(TOKEN)
    got = b"".join(piece for _, piece in reader.split("stdout", text + b"end\n"))
    assert got + reader.rest("stdout") in (text + b"end\n", b"9" * 200 + b"\nend\n")


@contextmanager
def pipes() -> Iterator[tuple[int, int]]:
    """Standard output and error of this process are pipes; gives their reading ends."""
    saved = os.dup(1), os.dup(2)
    ends = os.pipe(), os.pipe()
    for fd, (_, writer) in zip((1, 2), ends, strict=True):
        os.dup2(writer, fd)
        os.close(writer)
    try:
        yield ends[0][0], ends[1][0]
    finally:
        for fd, old in zip((1, 2), saved, strict=True):
            os.dup2(old, fd)
            os.close(old)
        for reader, _ in ends:
            os.close(reader)


def test_a_marker_writes_to_both_streams_even_when_the_guest_has_moved_them() -> None:
    token = new_token()
    with pipes() as (out, err):
        marker = Marker(token)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        marker.running(9)
        found = os.read(out, 200), os.read(err, 200)
        os.close(null)
        for fd in marker._fds:
            os.close(fd)
    assert found == (mark(9, token), mark(9, token))
