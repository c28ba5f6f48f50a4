"""Requests as bytes, and the answers that RFC 9110 and RFC 9112 ask for.

The application reports what it received. A request that is not served ends its connection, and
nothing that follows it is ever read as a request: wherever two readers of the same bytes could
disagree on where a request ends, ``/after`` must not have been asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.listening import Listening, answers_in, listening, read_all

from polyhost.settings import HostLimits, ServerSettings

AFTER = b"GET /after HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
LIMITS = HostLimits(max_header=4096, max_query=1024, body_timeout=5.0)


async def reporter(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the request as it was understood."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    headers = [
        [name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]
    ]
    report = {
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode("latin-1"),
        "headers": headers,
        "body": body.decode("latin-1"),
    }
    data = json.dumps(report).encode()
    length = (b"content-length", str(len(data)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": data})


@pytest.fixture(scope="module")
def server() -> Iterator[Listening]:
    with listening(lambda: reporter, ServerSettings(limits=LIMITS, grace=5.0)) as found:
        yield found


def post(*lines: bytes, body: bytes = b"", target: bytes = b"/x", version: bytes = b"1.1") -> bytes:
    head = [b"POST %b HTTP/%b" % (target, version), *lines, b"", b""]
    return b"\r\n".join(head) + body


HOST = b"Host: localhost"
REFUSED = {
    # The Host field: RFC 9112, section 3.2
    "no host": (post(b"Content-Length: 0"), 400),
    "two hosts": (post(HOST, HOST, b"Content-Length: 0"), 400),
    "two different hosts": (post(HOST, b"Host: other", b"Content-Length: 0"), 400),
    "host with a path": (post(b"Host: localhost/x", b"Content-Length: 0"), 400),
    "host with a user": (post(b"Host: me@localhost", b"Content-Length: 0"), 400),
    "host with a space": (post(b"Host: local host", b"Content-Length: 0"), 400),
    "host list": (post(b"Host: localhost, other", b"Content-Length: 0"), 400),
    # Versions: RFC 9112, section 2.3
    "HTTP/2.0": (post(HOST, b"Content-Length: 0", version=b"2.0"), 505),
    "HTTP/0.9": (post(HOST, b"Content-Length: 0", version=b"0.9"), 505),
    "no version": (b"GET /x\r\n\r\n", 505),
    "HTTP/1.2": (post(HOST, version=b"1.2"), 400),
    "HTTP/3.0": (post(HOST, version=b"3.0"), 400),
    "lower-case version": (b"GET /x http/1.1\r\nHost: localhost\r\n\r\n", 400),
    "preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    # Message framing: RFC 9112, sections 6.1 to 6.3 and 7.1
    "both lengths": (
        post(HOST, b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        400,
    ),
    "both lengths, swapped": (
        post(HOST, b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"),
        400,
    ),
    "two lengths": (post(HOST, b"Content-Length: 0", b"Content-Length: 4", body=b"abcd"), 400),
    "two equal lengths": (post(HOST, b"Content-Length: 0", b"Content-Length: 0"), 400),
    "length list": (post(HOST, b"Content-Length: 0, 0"), 400),
    "signed length": (post(HOST, b"Content-Length: +4", body=b"abcd"), 400),
    "negative length": (post(HOST, b"Content-Length: -4", body=b"abcd"), 400),
    "hexadecimal length": (post(HOST, b"Content-Length: 0x4", body=b"abcd"), 400),
    "empty length": (post(HOST, b"Content-Length:"), 400),
    "length beyond 64 bits": (post(HOST, b"Content-Length: 18446744073709551616"), 400),
    "gzip, chunked": (post(HOST, b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    "chunked twice": (post(HOST, b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), 400),
    "two codings": (
        post(
            HOST,
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: chunked",
            body=b"0\r\n\r\n",
        ),
        (400, 501),
    ),
    "identity": (post(HOST, b"Transfer-Encoding: identity", body=b"0\r\n\r\n"), (400, 501)),
    "chunked not last": (post(HOST, b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"), 400),
    "xchunked": (post(HOST, b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), (400, 501)),
    "quoted chunked": (post(HOST, b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"), (400, 501)),
    "space before colon": (post(HOST, b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"), 400),
    "vertical tab before coding": (
        post(HOST, b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
        400,
    ),
    "coding in HTTP/1.0": (
        post(HOST, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n", version=b"1.0"),
        400,
    ),
    "chunk size not a number": (
        post(HOST, b"Transfer-Encoding: chunked", body=b"x\r\n\r\n0\r\n\r\n"),
        400,
    ),
    "signed chunk size": (
        post(HOST, b"Transfer-Encoding: chunked", body=b"+1\r\na\r\n0\r\n\r\n"),
        400,
    ),
    "chunk size beyond 64 bits": (
        post(HOST, b"Transfer-Encoding: chunked", body=b"10000000000000001\r\na\r\n0\r\n\r\n"),
        400,
    ),
    "chunk longer than its size": (
        post(HOST, b"Transfer-Encoding: chunked", body=b"1\r\nab\r\n0\r\n\r\n"),
        400,
    ),
    "bare LF after a chunk size": (
        post(HOST, b"Transfer-Encoding: chunked", body=b"1\na\r\n0\r\n\r\n"),
        400,
    ),
    # Fields and lines: RFC 9112, sections 2.2, 3 and 5
    "bare LF": (b"POST /x HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n", 400),
    "bare CR in a value": (post(HOST, b"X: a\rY: b", b"Content-Length: 0"), 400),
    "folded line": (post(HOST, b"X: a\r\n b", b"Content-Length: 0"), 400),
    "NUL in a value": (post(HOST, b"X: a\x00b", b"Content-Length: 0"), 400),
    "NUL in a name": (post(HOST, b"X\x00: a", b"Content-Length: 0"), 400),
    "no name": (post(HOST, b": a", b"Content-Length: 0"), 400),
    "no colon": (post(HOST, b"X", b"Content-Length: 0"), 400),
    "space in the target": (b"GET /x y HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "fragment in the target": (b"GET /x#y HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "target not ASCII": (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "unknown method": (b"FETCH /x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "CONNECT": (b"CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\n\r\n", 501),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    # Sizes
    "large header": (post(HOST, b"X: " + b"x" * 5000, b"Content-Length: 0"), 431),
    "long query": (post(HOST, b"Content-Length: 0", target=b"/x?" + b"q" * 2000), 414),
    "large header with an upgrade": (
        post(HOST, b"Connection: Upgrade", b"Upgrade: h2c", b"X: " + b"x" * 5000),
        431,
    ),
    "many trailers": (
        post(HOST, b"Transfer-Encoding: chunked", body=b"0\r\n" + b"A: b\r\n" * 2000 + b"\r\n"),
        431,
    ),
    "one long trailer": (
        post(HOST, b"Transfer-Encoding: chunked", body=b"0\r\nA: " + b"b" * 300_000),
        431,
    ),
    "long chunk extension": (
        post(HOST, b"Transfer-Encoding: chunked", body=b"1;" + b"x" * 300_000),
        431,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_well_formed_is_refused_and_ends_its_connection(
    server: Listening, name: str
) -> None:
    data, expected = REFUSED[name]
    found = answers_in(server.exchange(data + AFTER))
    assert len(found) == 1, found
    assert found[0].status in (expected if isinstance(expected, tuple) else (expected,)), found
    assert found[0].headers["connection"] == "close"
    assert found[0].headers["content-type"] == "application/json"
    assert found[0].json["message"].startswith("ERROR: ")


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_its_turn(server: Listening, name: str) -> None:
    data, _ = REFUSED[name]
    first = post(HOST, b"Content-Length: 2", body=b"hi")
    found = answers_in(server.exchange(first + data + AFTER))
    assert [answer.status >= 400 for answer in found] == [False, True]
    assert found[0].json["body"] == "hi"


@pytest.mark.parametrize("name", [name for name, (data, _) in REFUSED.items() if len(data) < 1000])
def test_it_may_come_in_single_bytes(server: Listening, name: str) -> None:
    data, expected = REFUSED[name]
    with server.connect() as sock:
        sock.setsockopt(6, 1, 1)  # TCP_NODELAY
        for i in range(len(data)):
            sock.send(data[i : i + 1])
        found = answers_in(read_all(sock))
    assert [answer.status for answer in found] == [found[0].status]
    assert found[0].status in (expected if isinstance(expected, tuple) else (expected,))


UPGRADES = {
    "h2c": (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
    "websocket": (b"Connection: keep-alive, Upgrade", b"Upgrade: websocket"),
    "other": (b"Upgrade: TLS/1.0", b"Connection: upgrade"),
}


@pytest.mark.parametrize("name", UPGRADES)
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_an_offer_of_another_protocol_is_ignored(
    server: Listening, name: str, chunked: bool, step: int
) -> None:
    """RFC 9110, section 7.8: a server may ignore Upgrade; java.net.http and curl send it."""
    length, body = (
        (b"Transfer-Encoding: chunked", b"2\r\nhi\r\n0\r\n\r\n")
        if chunked
        else (b"Content-Length: 2", b"hi")
    )
    data = post(HOST, *UPGRADES[name], length, body=body) * 2 + AFTER
    with server.connect() as sock:
        for start in range(0, len(data), step):
            sock.sendall(data[start : start + step])
        found = answers_in(read_all(sock))
    assert [answer.status for answer in found] == [200, 200, 200]
    assert [answer.json["body"] for answer in found] == ["hi", "hi", ""]
    assert [answer.json["path"] for answer in found] == ["/x", "/x", "/after"]
    names = {field for field, _ in found[0].json["headers"]}
    assert not names & {"upgrade", "http2-settings"}


def test_many_offers_in_one_read_are_answered(server: Listening) -> None:
    data = post(HOST, b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 1", body=b"1")
    found = answers_in(server.exchange(data * 500 + AFTER))
    assert [answer.json["body"] for answer in found] == [*["1"] * 500, ""]


def test_trailers_are_discarded(server: Listening) -> None:
    """RFC 9110, section 6.5.1: a trailer is not merged into the headers."""
    trailers = b"X-User: root\r\nAuthorization: Bearer k\r\nHost: other\r\n\r\n"
    body = b"2\r\nhi\r\n0\r\n" + trailers
    data = post(HOST, b"Transfer-Encoding: chunked", body=body) + AFTER
    found = answers_in(server.exchange(data))
    assert [answer.json["path"] for answer in found] == ["/x", "/after"]
    assert found[0].json["body"] == "hi"
    assert found[0].json["headers"] == [["host", "localhost"], ["transfer-encoding", "chunked"]]
    assert found[1].json["headers"] == [["host", "localhost"], ["connection", "close"]]


SERVED: dict[str, tuple[bytes, dict[str, object]]] = {
    "chunked": (
        post(HOST, b"Transfer-Encoding: Chunked", body=b"1;x=y\r\na\r\n0002\r\nbc\r\n0\r\n\r\n"),
        {"body": "abc"},
    ),
    "absolute form": (
        post(HOST, b"Content-Length: 0", target=b"http://localhost:80/y?q"),
        {"path": "/y", "query": "q"},
    ),
    "absolute form wins over Host": (
        b"GET http://localhost:1/y HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        {"headers": [["host", "localhost:1"]]},
    ),
    "absolute form without a path": (
        b"GET http://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n",
        {"path": "/"},
    ),
    "empty lines before": (b"\r\n\r\n" + post(HOST, b"Content-Length: 0"), {"path": "/x"}),
    "address of IPv6": (post(b"Host: [::1]:8000", b"Content-Length: 0"), {"path": "/x"}),
    "escaped target": (
        b"GET /%61%2Fb HTTP/1.1\r\nHost: localhost\r\n\r\n",
        {"path": "/a/b"},
    ),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", {"path": "*"}),
}


@pytest.mark.parametrize("name", SERVED)
def test_what_is_well_formed_is_served(server: Listening, name: str) -> None:
    data, expected = SERVED[name]
    first, second = answers_in(server.exchange(data + AFTER))
    assert first.status == 200
    assert {key: first.json[key] for key in expected} == expected
    assert second.json["path"] == "/after"


def test_http_1_0_needs_no_host_and_ends_its_connection(server: Listening) -> None:
    data = b"POST /x HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi"
    (found,) = answers_in(server.exchange(data + AFTER))
    assert (found.status, found.json["body"]) == (200, "hi")


def test_what_follows_a_close_is_not_answered(server: Listening) -> None:
    (found,) = answers_in(server.exchange(AFTER + AFTER))
    assert found.status == 200


def test_a_body_that_goes_wrong_ends_a_request_that_runs(server: Listening) -> None:
    with server.connect() as sock:
        sock.sendall(post(HOST, b"Transfer-Encoding: chunked", body=b"1\r\na\r\n"))
        sock.sendall(b"zz\r\n" + AFTER)
        (found,) = answers_in(read_all(sock))
    assert found.status == 400
