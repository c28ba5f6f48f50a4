"""The id of a request."""

from __future__ import annotations

import re
from typing import Any

import pytest

from polyhost.server.http.request_id import request_id

UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def scope(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"headers": [(b"host", b"h"), *headers]}


@pytest.mark.parametrize("name", [b"x-request-id", b"x_request_id"])
@pytest.mark.parametrize("value", [b"a", b"with a space", b"x" * 128])
def test_the_clients_own_is_taken(name: bytes, value: bytes) -> None:
    assert request_id(scope((name, value))) == value


@pytest.mark.parametrize("value", [b"", b"x" * 129, b"tab\there", b"\xff", b" edge"])
def test_another_is_made_for_what_cannot_be_printed(value: bytes) -> None:
    assert UUID.fullmatch(request_id(scope((b"x-request-id", value))))


def test_it_stays_the_same_and_differs_between_requests() -> None:
    one, other = scope(), scope()
    assert request_id(one) == request_id(one)
    assert request_id(one) != request_id(other)
