"""The short way of small predictions and the long one: same bytes, whatever a client does."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.served import Served

Serve = Callable[..., Served]
Model = Callable[..., Path]

LONG = ("y" * 60, "n" * 60)
CODE = f"""
import time
import pandas as pd

def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    if "sleep" in data:
        time.sleep(float(data["sleep"][0]))
    if "fail" in data:
        raise ValueError("told to")
    chance = data["a"].astype(float)
    return pd.DataFrame({{{LONG[0]!r}: chance, {LONG[1]!r}: 1 - chance}})
"""
METADATA = f"""
name: m
type: inference
targetType: binary
inferenceModel:
  positiveClassLabel: {LONG[0]}
  negativeClassLabel: {LONG[1]}
"""
CSV = b"a\n0.25\n0.5\n"
SLOW = b"a,sleep\n0.25,0.5\n"


@pytest.fixture
def served(serve: Serve, model: Model) -> Served:
    return serve(model(CODE, metadata=METADATA))


@contextmanager
def connected(served: Served) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", served.port), timeout=20)) as sock:
        yield sock


def request(body: bytes, path: str = "/predict/", *lines: str, kind: str = "text/csv") -> bytes:
    own = ("Host: localhost", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *lines)
    return "\r\n".join([f"POST {path} HTTP/1.1", *own, "", ""]).encode() + body


class Answers:
    """Reads answers from a connection, one after another."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._rest = b""

    def _read(self, enough: Callable[[bytes], bool]) -> None:
        while not enough(self._rest):
            piece = self._sock.recv(65536)
            assert piece, f"the connection ended after {self._rest[:200]!r}"
            self._rest += piece

    def next(self) -> tuple[bytes, bytes]:
        """The head and the body of the next one."""
        self._read(lambda data: b"\r\n\r\n" in data)
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head)
        assert found is not None, head
        size = int(found[1])
        self._read(lambda data: len(data) >= size)
        body, self._rest = self._rest[:size], self._rest[size:]
        return head, body


def predictions(body: bytes) -> list[float]:
    return [row[LONG[0]] for row in json.loads(body)["predictions"]]


CASES = [
    (CSV, "text/csv"),
    (b'{"dataframe_split": {"columns": ["a"], "data": [[0.5]]}}', "application/json"),
    (b'{"dataframe_split": 1}', "application/json"),
    (b"a\n2\n", "text/csv"),
    (b"a,fail\n0.5,1\n", "text/csv"),
    (b"X=1", "application/x-www-form-urlencoded"),
    (CSV, "image/png"),
    (b"", "text/csv"),
]


def test_both_ways_answer_alike(served: Served):
    """An address with a query goes the long way."""
    with connected(served) as sock:
        answers = Answers(sock)
        for body, kind in CASES:
            sock.sendall(request(body, "/predict/", "X-Request-ID: mine", kind=kind))
            short = answers.next()
            sock.sendall(request(body, "/predict/?long", "X-Request-ID: mine", kind=kind))
            assert answers.next() == short, (body, kind)
            assert short[0].count(b"mine") == 2


def test_an_answer_has_an_id_of_its_own(served: Served):
    with connected(served) as sock:
        answers = Answers(sock)
        sock.sendall(request(CSV) * 2)
        ids = [re.findall(rb"x.request.id: (\S+)", answers.next()[0]) for _ in range(2)]
    assert all(len(pair) == 2 and pair[0] == pair[1] for pair in ids)
    assert ids[0][0] != ids[1][0]


def test_requests_in_a_row_are_answered_in_their_order(served: Served):
    bodies = [b"a\n0.%d\n" % i for i in range(1, 10)]
    whole = b"".join(
        request(body, "/predict/?x" if i % 3 == 2 else "/predict/") for i, body in enumerate(bodies)
    )
    with connected(served) as sock:
        answers = Answers(sock)
        sock.sendall(whole)
        found = [predictions(answers.next()[1])[0] for _ in bodies]
    assert found == pytest.approx([i / 10 for i in range(1, 10)])


def test_a_request_may_come_in_any_pieces(served: Served):
    with connected(served) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = Answers(sock)
        for byte in request(CSV):
            sock.send(bytes((byte,)))
        assert predictions(answers.next()[1]) == [0.25, 0.5]
        whole = request(CSV) + request(SLOW)
        for start in range(0, len(whole), 7):
            sock.send(whole[start : start + 7])
        assert predictions(answers.next()[1]) == [0.25, 0.5]
        assert predictions(answers.next()[1]) == [0.25]


def test_a_small_body_may_have_a_large_answer(served: Served):
    rows = 20_000
    body = b"a\n" + b"0\n" * rows
    assert len(body) < 64 << 10
    with connected(served) as sock:
        answers = Answers(sock)
        for _ in range(3):
            sock.sendall(request(body))
            answer = answers.next()[1]
            assert len(answer) > 1 << 20
            assert predictions(answer) == [0.0] * rows
            sock.sendall(request(CSV))
            assert predictions(answers.next()[1]) == [0.25, 0.5]


def test_a_client_that_does_not_read_gets_its_answers_later(served: Served):
    rows = 5_000
    with connected(served) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        answers = Answers(sock)
        sock.sendall(request(b"a\n" + b"0\n" * rows) * 20)
        time.sleep(0.5)
        for _ in range(20):
            assert len(predictions(answers.next()[1])) == rows


def test_a_client_that_leaves_is_counted_and_forgotten(served: Served):
    for _ in range(3):
        with connected(served) as sock:
            sock.sendall(request(SLOW))
            time.sleep(0.1)
    assert served.post("/predict/", CSV).status_code == 200
    until = time.monotonic() + 10
    while 'code="499"' not in (text := served.client.get("/metrics").text):
        assert time.monotonic() < until, text
        time.sleep(0.05)
    assert re.search(r'polyhost_requests_total\{[^}]*code="499"[^}]*\} 3', text)
    assert re.search(r"^polyhost_bodies_held_bytes 0", text, re.MULTILINE), text


def test_what_is_special_goes_the_long_way(served: Served):
    with connected(served) as sock:
        answers = Answers(sock)
        sock.sendall(request(CSV, "/predict/", "Expect: 100-continue"))
        assert sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert predictions(answers.next()[1]) == [0.25, 0.5]
        sock.sendall(request(CSV, "/predict/", "Connection: close"))
        assert predictions(answers.next()[1]) == [0.25, 0.5]
        assert sock.recv(1) == b""


def test_what_runs_at_the_end_is_answered(served: Served):
    with connected(served) as sock:
        answers = Answers(sock)
        sock.sendall(request(SLOW))
        time.sleep(0.2)
        served.process.send_signal(signal.SIGTERM)
        head, body = answers.next()
        assert b"connection: close" in head
        assert predictions(body) == [0.25]
        assert sock.recv(1) == b""
