"""What a client may send, how much of it, and how slowly: over real sockets."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from support.plugins import INSTALLED, fake_model
from support.served import Served

Serve = Callable[..., Served]
NOTHING: Mapping[str, str] = {}

CSV = b"a\n1\n2\n"


@pytest.fixture
def limited(serve: Serve, tmp_path: Path) -> Callable[..., Served]:
    """Starts a server of one model with limits: of all clients, and of the model."""

    def start(
        server: str = "", of_model: str = "", env: Mapping[str, str] = NOTHING, **options: object
    ) -> Served:
        code_dir = fake_model(tmp_path / "model", adds=0)
        config = tmp_path / "polyhost.yaml"
        config.write_text(
            f"limits: {{{server}}}\nmodels:\n  model:\n    path: {code_dir}\n"
            f"    limits: {{{of_model}}}\n"
        )
        return serve(config, env={**INSTALLED, **env}, **options)

    return start


@contextmanager
def connected(served: Served) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", served.port), timeout=20)) as sock:
        yield sock


def head(length: int | None = None, *lines: str, path: str = "/predict/") -> bytes:
    """The head of a POST; chunked when it does not say a length."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    own = ("Host: localhost", "Content-Type: text/csv", size, *lines)
    return "\r\n".join([f"POST {path} HTTP/1.1", *own, "", ""]).encode()


def answer(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of what the server sends until it closes its side."""
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return parse(data)


def parse(data: bytes) -> tuple[int, dict[str, str], bytes]:
    first, _, rest = data.partition(b"\r\n")
    top, _, body = rest.partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in top.decode("latin-1").split("\r\n")]
    return int(first.split()[1]), {name.lower(): value for name, value in lines}, body


def still_serves(served: Served) -> bool:
    return served.post("/predict/", CSV).json() == {"predictions": [1.0, 2.0]}


# Bodies


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(
    limited: Callable[..., Served],
) -> None:
    served = limited(of_model="max_body: 1KiB")
    with connected(served) as sock:
        sock.sendall(head(1025))
        status, headers, body = answer(sock)
    assert (status, headers["connection"]) == (413, "close")
    assert "expected at most 1024 bytes; found 1025" in json.loads(body)["message"]
    assert headers["x-request-id"]
    assert served.post("/predict/", b"a\n" + b"1\n" * 511).status_code == 200


def test_who_asks_first_is_not_told_to_go_on(limited: Callable[..., Served]) -> None:
    served = limited(of_model="max_body: 1KiB")
    with connected(served) as sock:
        sock.sendall(head(1025, "Expect: 100-continue"))
        assert answer(sock)[0] == 413


def test_a_body_that_grows_too_large_is_refused_as_it_comes(
    limited: Callable[..., Served],
) -> None:
    served = limited(of_model="max_body: 1KiB")
    with connected(served) as sock:
        sock.sendall(head())
        for _ in range(3):
            sock.sendall(b"200\r\n" + b"x" * 512 + b"\r\n")
            time.sleep(0.05)
        assert answer(sock)[0] == 413
    assert still_serves(served)


def test_a_client_that_sends_it_all_can_read_its_413(limited: Callable[..., Served]) -> None:
    served = limited(of_model="max_body: 64KiB")
    for _ in range(3):
        with connected(served) as sock:
            sock.sendall(head(8 << 20) + b"x" * (8 << 20))
            assert answer(sock)[0] == 413
    assert served.post("/predict/", b"x" * (4 << 20)).status_code == 413


def test_other_routes_have_the_models_limit_too(limited: Callable[..., Served]) -> None:
    served = limited(of_model="max_body: 1KiB")
    with connected(served) as sock:
        sock.sendall(head(4096, path="/transform/"))
        assert answer(sock)[0] == 413


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/csv", "a\n1\n2\n3\n4\n"),
        ("application/json", '{"dataframe_split": {"columns": ["a"], "data": [[1],[2],[3],[4]]}}'),
    ],
)
def test_too_many_rows_are_413(limited: Callable[..., Served], kind: str, body: str) -> None:
    served = limited(of_model="max_rows: 3")
    reply = served.post("/predict/", body, kind)
    assert reply.status_code == 413
    assert "the request has 4 rows: expected at most 3" in reply.json()["message"]
    fewer = body.replace("4\n", "").replace(",[4]", "")
    assert served.post("/predict/", fewer, kind).json() == {"predictions": [1.0, 2.0, 3.0]}


def test_small_bodies_are_in_the_budget(limited: Callable[..., Served]) -> None:
    served = limited(server="body_budget: 1MiB")
    slow = b"a,order\n1,sleeps:1.5\n" + b"1,answers\n" * 100_000
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda _: served.post("/predict/", slow), range(2)))
    assert sorted(reply.status_code for reply in replies) == [200, 429]
    refused = max(replies, key=lambda reply: reply.status_code)
    assert refused.headers["retry-after"] == "1"
    assert still_serves(served)
    assert served.post("/predict/", b"a\n" + b"1\n" * 600_000).status_code == 413


def test_a_full_disk_is_507_and_leaves_nothing(limited: Callable[..., Served]) -> None:
    served = limited()
    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (8 << 20, resource.RLIM_INFINITY))
    before = served.descriptors()
    for _ in range(3):
        reply = served.post("/predict/", b"a\n" + b"1\n" * (6 << 20))
        assert reply.status_code == 507
        assert "the host cannot keep this body: File too large" in reply.json()["message"]
    assert still_serves(served)
    assert served.descriptors() == before


def test_a_small_tmpfs_is_507_and_leaves_nothing(
    limited: Callable[..., Served], tmp_path: Path
) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    try:
        served = limited(env={"TMPDIR": str(folder)})
        reply = served.post("/predict/", b"a\n" + b"1\n" * (30 << 20))
        assert reply.status_code == 507
        assert "No space left on device" in reply.json()["message"]
        until = time.monotonic() + 60  # it is let go after its answer has left
        while psutil.disk_usage(str(folder)).used >= 1 << 20:
            assert time.monotonic() < until, "what was kept of the body is still there"
            time.sleep(0.02)
        assert still_serves(served)
        served.stop()
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


# Heads


def test_large_headers_are_431(limited: Callable[..., Served]) -> None:
    served = limited(server="max_header: 4KiB")
    for size, status in ((3000, 200), (5000, 431), (300_000, 431)):
        with connected(served) as sock:
            filler = f"X-Filler: {'x' * size}"
            sock.sendall(head(len(CSV), filler, "Connection: close") + CSV)
            assert answer(sock)[0] == status
    assert still_serves(served)


def test_many_small_headers_are_431(limited: Callable[..., Served]) -> None:
    served = limited(server="max_header: 4KiB")
    with connected(served) as sock:
        sock.sendall(head(len(CSV), *(f"X-{i}: x" for i in range(1000))) + CSV)
        assert answer(sock)[0] == 431


def test_headers_without_end_are_431(limited: Callable[..., Served]) -> None:
    served = limited(server="max_header: 4KiB, max_query: 4KiB")
    with connected(served) as sock:
        sock.sendall(b"POST /predict/ HTTP/1.1\r\nHost: localhost\r\n")
        for i in range(20):
            sock.sendall(b"X-%d: %b\r\n" % (i, b"x" * 1000))
            time.sleep(0.01)
        assert answer(sock)[0] == 431


def test_a_long_query_is_414(limited: Callable[..., Served]) -> None:
    served = limited(server="max_query: 1KiB")
    for size, status in ((1000, 200), (1100, 414), (70_000, 414), (200_000, 414)):
        with connected(served) as sock:
            path = f"/predict/?q={'x' * size}"
            sock.sendall(head(len(CSV), "Connection: close", path=path) + CSV)
            assert answer(sock)[0] == status


def test_the_second_request_of_a_connection_is_limited_as_the_first(
    limited: Callable[..., Served],
) -> None:
    served = limited(server="max_header: 4KiB")
    large = b"a\n" + b"1\n" * 100_000
    with connected(served) as sock:
        sock.sendall(head(len(large)) + large)
        read_until(sock, b"]}")
        sock.sendall(head(len(CSV), f"X-Filler: {'x' * 5000}") + CSV)
        assert b"HTTP/1.1 431" in _all(sock)


def read_until(sock: socket.socket, end: bytes) -> bytes:
    """What comes up to these last bytes of an answer."""
    data = b""
    while not data.endswith(end):
        piece = sock.recv(1 << 20)
        assert piece, f"the connection ended: {data[-200:]!r}"
        data += piece
    return data


def _all(sock: socket.socket) -> bytes:
    data = b""
    while piece := sock.recv(1 << 20):
        data += piece
    return data


# Connections


def test_connections_over_the_limit_get_503_at_once(limited: Callable[..., Served]) -> None:
    served = limited(server="max_connections: 3")
    served.descriptors()  # returns once no client is connected
    with connected(served), connected(served), connected(served):
        with connected(served) as fourth:
            status, headers, body = answer(fourth)
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        assert "3 clients are connected" in json.loads(body)["message"]
    served.descriptors()
    assert still_serves(served)


def test_a_head_that_does_not_end_is_408(limited: Callable[..., Served]) -> None:
    served = limited(server="body_timeout: 1s")
    with connected(served) as trickle, connected(served) as silent:
        trickle.sendall(b"POST /predict/ HTTP/1.1\r\n")
        trickle.settimeout(0.2)
        data = b""
        for _ in range(100):
            try:
                data = trickle.recv(65536)
                break
            except TimeoutError:
                trickle.sendall(b"X: y\r\n")
        assert parse(data)[0] == 408
        assert still_serves(served)
        assert silent.recv(1) == b""


def test_a_body_that_pauses_or_trickles_is_408(limited: Callable[..., Served]) -> None:
    served = limited(server="body_timeout: 1s")
    with connected(served) as pauses, connected(served) as trickles:
        for sock in (pauses, trickles):
            sock.sendall(head(1000) + b"a\n1\n")
        trickles.settimeout(0.2)
        data = b""
        for _ in range(40):
            try:
                data = trickles.recv(65536)
                break
            except TimeoutError:
                trickles.sendall(b"1")
        assert parse(data)[0] == 408
        status, headers, body = answer(pauses)
    assert (status, headers["connection"]) == (408, "close")
    assert "body did not come on within 1 s" in json.loads(body)["message"]


def test_a_slow_body_that_goes_on_is_served(limited: Callable[..., Served]) -> None:
    served = limited(server="body_timeout: 1s")
    rows = b"1\n" * 1000
    with connected(served) as sock:
        sock.sendall(head(2 + 3 * len(rows), "Connection: close") + b"a\n")
        for _ in range(3):
            time.sleep(0.6)
            sock.sendall(rows)
        assert answer(sock)[0] == 200


def test_a_slow_model_is_not_taken_for_a_slow_client(limited: Callable[..., Served]) -> None:
    served = limited(server="body_timeout: 1s")
    assert served.post("/predict/", b"a,order\n1,sleeps:2.5\n").json() == {"predictions": [1.0]}


def test_a_worker_over_its_memory_is_replaced(limited: Callable[..., Served]) -> None:
    served = limited(of_model="memory: 300MiB")
    reply = served.post("/predict/", b"a,order\n1,grows:600\n")
    assert reply.status_code == 500
    assert "of memory: its limit is 314572800" in reply.json()["message"]
    assert still_serves(served)
