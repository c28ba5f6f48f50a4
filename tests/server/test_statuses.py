"""Statuses that a hook chooses: each answer is whole, and the connection's next one is its own."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPResponse
from pathlib import Path

import pytest
from support.served import Served

Serve = Callable[..., Served]
Model = Callable[..., Path]

SCORE = """
import pandas as pd
class CustomHTTPError(Exception):
    def __init__(self, message, status_code):
        super().__init__(message)
        self.status_code = status_code
def load_model(code_dir):
    return 1
def score(data, model, **kwargs):
    if "status" in data:
        raise CustomHTTPError("as asked", int(data["status"][0]))
    return pd.DataFrame({"Predictions": data["a"].astype(float)})
"""
UNSTRUCTURED = """
def load_model(code_dir):
    return 1
def score_unstructured(model, data, **kwargs):
    return ("hello", {"mimetype": data}) if data != "fine" else data
"""


@pytest.fixture
def connection() -> Iterator[Callable[[Served], socket.socket]]:
    opened: list[socket.socket] = []

    def connect(served: Served) -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", served.port), timeout=20))
        return opened[-1]

    yield connect
    for sock in opened:
        sock.close()


def post(sock: socket.socket, path: str, body: str, long_way: bool = False) -> tuple[int, bytes]:
    """Ask over a connection; what the standard library's client reads of the answer."""
    data, head = (
        body.encode(),
        [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: text/csv"],
    )
    if long_way:
        head.append("Transfer-Encoding: chunked")
        data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
    else:
        head.append(f"Content-Length: {len(data)}")
    sock.sendall("\r\n".join([*head, "", ""]).encode() + data)
    with closing(HTTPResponse(sock, method="POST")) as reply:
        reply.begin()
        return reply.status, reply.read()


@pytest.mark.parametrize("long_way", [False, True])
def test_the_answer_after_one_without_a_body_is_its_own(
    serve: Serve, model: Model, connection: Callable[[Served], socket.socket], long_way: bool
) -> None:
    served = serve(model(SCORE), "--target-type", "regression")
    sock = connection(served)
    for status in (204, 205, 304, 402, 599):
        found, body = post(sock, "/predict/", f"a,status\n1,{status}\n", long_way)
        assert found == status
        expected = b'{"message":"as asked"}\n' if status in (402, 599) else b""
        assert body == expected
        found, body = post(sock, "/predict/", "a\n7\n", long_way)
        assert (found, json.loads(body)) == (200, {"predictions": [7.0]})


@pytest.mark.parametrize("long_way", [False, True])
def test_a_status_that_no_answer_has_is_500_and_costs_nobody_else(
    serve: Serve, model: Model, connection: Callable[[Served], socket.socket], long_way: bool
) -> None:
    served = serve(model(SCORE), "--target-type", "regression")
    sock = connection(served)
    for status in (100, 101, 199, 600, 2000, -1):
        found, body = post(sock, "/predict/", f"a,status\n1,{status}\n", long_way)
        assert found == 500
        assert f"the HTTP status {status}: expected" in json.loads(body)["message"]
    assert post(sock, "/predict/", "a\n7\n", long_way)[0] == 200
    assert "is replaced" not in served.err


def test_a_type_that_cannot_be_written_is_500(
    serve: Serve, model: Model, connection: Callable[[Served], socket.socket]
) -> None:
    served = serve(model(UNSTRUCTURED), "--target-type", "unstructured")
    sock = connection(served)
    for kind in ("text/a\nb", "text/a\r\nX-Own: 1", "text/\u20ac"):
        found, body = post(sock, "/predictUnstructured/", kind)
        assert found == 500
        assert "content type" in json.loads(body)["message"]
    assert post(sock, "/predictUnstructured/", "fine") == (200, b"fine")
