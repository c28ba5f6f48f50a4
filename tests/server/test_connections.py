"""Connections before and beside their requests: handshakes, host names, what a flood costs."""

from __future__ import annotations

import resource
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.listening import Listening, answers_in, listening, read_all

from polyhost.settings import ApiKey, HostLimits, ServerSettings, Tls

SETTINGS = ServerSettings(grace=5.0)


async def hello(scope: Any, receive: Any, send: Any) -> None:
    length = (b"content-length", b"2")
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": b"hi"})


def get(host: str) -> bytes:
    return f"GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


# Host names


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        (SETTINGS, "localhost:8000", 200),
        (SETTINGS, "LOCALHOST.", 200),
        (SETTINGS, "app.localhost", 200),
        (SETTINGS, "127.0.0.1", 200),
        (SETTINGS, "127.1.2.3:80", 200),
        (SETTINGS, "[::1]:80", 200),
        (SETTINGS, "rebound.example:8000", 421),
        (SETTINGS, "localhost.example", 421),
        (SETTINGS, "10.0.0.1", 421),
        (SETTINGS, "0.0.0.0", 421),
        (SETTINGS, "", 421),
        (replace(SETTINGS, allowed_hosts=("Models.example",)), "models.EXAMPLE:1", 200),
        (replace(SETTINGS, allowed_hosts=("models.example",)), "other.example", 421),
        (replace(SETTINGS, allowed_hosts=("*",)), "rebound.example", 200),
        (replace(SETTINGS, keys=(ApiKey("k", "0" * 64),)), "rebound.example", 200),
        (replace(SETTINGS, address_host="0.0.0.0"), "rebound.example", 200),
    ],
)
def test_a_server_on_loopback_without_keys_answers_for_its_own_names(
    settings: ServerSettings, host: str, status: int
) -> None:
    with listening(lambda: hello, settings) as server:
        (answer,) = answers_in(server.exchange(get(host)))
    assert answer.status == status, answer
    if status == 421:
        assert "allowed_hosts" in answer.json["message"]


def test_the_host_of_an_absolute_target_is_what_counts() -> None:
    request = b"GET http://rebound.example/x HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with listening(lambda: hello, SETTINGS) as server:
        (answer,) = answers_in(server.exchange(request))
    assert answer.status == 421


# Handshakes


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return Tls(certificate, key)


def secure(pem: Tls, limits: HostLimits) -> ServerSettings:
    return replace(SETTINGS, tls=pem, limits=limits)


def trusting(pem: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pem.certificate))
    context.check_hostname = False
    return context


@pytest.fixture
def encrypted(pem: Tls) -> Iterator[Listening]:
    limits = HostLimits(max_connections=3, body_timeout=1.0)
    with listening(lambda: hello, secure(pem, limits)) as server:
        yield server


def test_handshakes_that_do_not_end_are_connections_and_have_their_time(
    encrypted: Listening, pem: Tls
) -> None:
    address = ("127.0.0.1", encrypted.port)
    silent = [socket.create_connection(address, timeout=20) for _ in range(3)]
    try:
        with socket.create_connection(address, timeout=20) as fourth:
            assert read_all(fourth) == b"", "a fourth connection is over the limit"
        for sock in silent:
            assert read_all(sock) == b"", "a handshake that does not begin is ended"
    finally:
        for sock in silent:
            sock.close()
    with (
        socket.create_connection(address, timeout=20) as sock,
        trusting(pem).wrap_socket(sock) as wrapped,
    ):
        wrapped.sendall(get("localhost"))
        assert answers_in(read_all(wrapped))[0].body == b"hi"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_request_may_come_with_the_end_of_the_handshake(
    encrypted: Listening, pem: Tls, version: ssl.TLSVersion
) -> None:
    context = trusting(pem)
    context.minimum_version = context.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with encrypted.connect() as sock:
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        session.write(get("localhost"))
        sock.sendall(outgoing.read())  # the last flight and the request in one piece
        data = b""
        while not data.endswith(b"hi"):
            try:
                data += session.read(65536)
            except ssl.SSLWantReadError:
                piece = sock.recv(65536)
                assert piece, data
                incoming.write(piece)
    assert answers_in(data)[0].status == 200


def test_what_is_not_tls_gets_no_answer_and_harms_nobody(encrypted: Listening, pem: Tls) -> None:
    assert b"HTTP" not in encrypted.exchange(get("localhost"))
    with encrypted.connect() as sock, trusting(pem).wrap_socket(sock) as wrapped:
        wrapped.sendall(get("localhost"))
        assert answers_in(read_all(wrapped))[0].status == 200


# Floods


@pytest.mark.parametrize(
    "piece", [b"A: b\r\n" * 10_000, b"x" * 60_000], ids=["tiny trailers", "one without an end"]
)
def test_trailers_without_end_cost_no_memory(piece: bytes) -> None:
    head = b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass

    with listening(lambda: app, SETTINGS) as server, server.connect() as sock:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            sock.sendall(head + b"1\r\na\r\n0\r\nX: ")
            for _ in range(1000):  # 60 MB
                sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        found = answers_in(read_all(sock))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert [answer.status for answer in found] in ([431], [])
    assert grown < 20_000, f"{grown} KiB"
