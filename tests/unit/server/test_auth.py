"""Keys, and what is warned of; the routes are asked in tests/server/test_security.py."""

from __future__ import annotations

import hashlib

import pytest

from polyhost.errors import SettingsError
from polyhost.server.auth import check_exposure, digest_of, gated, new_key
from polyhost.server.call.keys import Keys
from polyhost.server.http.heads import is_loopback
from polyhost.settings import AdminSettings, ApiKey, ServerSettings

KEY = ApiKey("one", hashlib.sha256(b"k").hexdigest())


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        (b"authorization", b"Bearer k", True),
        (b"authorization", b"bearer  k ", True),
        (b"authorization", b"Basic dTpr", True),
        (b"authorization", b"Basic a", False),
        (b"authorization", b"k", False),
        (b"authorization", b"Bearer", False),
        (b"authorization", b"Bearer k2", False),
        (b"x-api-key", b"k", True),
        (b"api-key", b" k", True),
        (b"x-other", b"k", False),
    ],
)
def test_a_key_is_found_where_clients_put_it(name: bytes, value: bytes, found: bool) -> None:
    assert Keys([KEY]).find([(name, value)]) == (KEY if found else None)


def test_new_keys_differ_and_only_their_digest_is_shown() -> None:
    first, second = new_key(), new_key()
    assert first != second
    assert digest_of(first) == hashlib.sha256(first.encode()).hexdigest()
    assert KEY.sha256 not in repr(KEY)


def test_without_keys_nothing_is_put_before_the_application() -> None:
    app = object()
    assert gated(app, Keys(()), "") is app


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "10.0.0.1", "example.org")),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_what_others_can_reach_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    check_exposure(ServerSettings())
    check_exposure(ServerSettings(address_host="0.0.0.0", drum=True))
    assert caplog.messages == []
    check_exposure(ServerSettings(address_host="0.0.0.0"))
    check_exposure(ServerSettings(address_host="0.0.0.0", keys=(KEY,)))
    assert "with no API key" in caplog.messages[0]
    assert "without TLS" in caplog.messages[1]


def test_an_admin_api_open_to_others_is_refused() -> None:
    with pytest.raises(SettingsError, match="expected a key of the role 'admin'"):
        check_exposure(
            ServerSettings(address_host="0.0.0.0", admin=AdminSettings(True), keys=(KEY,))
        )
