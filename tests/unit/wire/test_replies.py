"""What may be sent as an answer's head."""

from __future__ import annotations

import json
from typing import Any

import pytest

from polyhost.errors import GuestStatus, InvalidOutput, ModelError
from polyhost.wire.replies import check_meta, checked_error


@pytest.mark.parametrize("status", [200, 204, 304, 404, 599])
def test_a_final_status_is_kept(status: int) -> None:
    check_meta(json.dumps({"status": status, "type": "text/plain"}).encode())
    error = GuestStatus("as asked", status=status, hook="score")
    assert checked_error(error) is error


@pytest.mark.parametrize("status", [0, 100, 101, 199, 600, 2000, -1, True, None, "200", 200.0])
def test_another_status_is_an_error_of_the_model(status: Any) -> None:
    with pytest.raises(InvalidOutput, match="from 200 to 599"):
        check_meta(json.dumps({"status": status, "type": "text/plain"}).encode())
    found = checked_error(GuestStatus("pay", status=status, hook="score", native_type="Told"))
    assert type(found) is ModelError
    assert found.message == (
        f"model 'score' asked for the HTTP status {status!r}: expected a whole number from 200 to "
        "599. It said: pay"
    )
    assert found.facts == {"hook": "score", "native_type": "Told"}


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        (b"", "expected an object with status and type"),
        (b"{", "expected an object with status and type"),
        (b"[]", "expected an object with status and type"),
        (b'{"status":200}', "expected an object with status and type"),
        (b'{"status":200,"type":"a/b","headers":[1]}', "expected an object with status and type"),
        (b'{"status":200,"type":"text/a\\nb"}', "holds a line break"),
        (b'{"status":200,"type":"text/\\u20ac"}', "outside latin-1"),
        (b'{"status":200,"type":5}', "expected text"),
        (b'{"status":200,"type":"","headers":{"a b":"c"}}', "header named 'a b'"),
        (b'{"status":200,"type":"","headers":{"a":"c\\r\\nx: y"}}', "holds a line break"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_reason(meta: bytes, says: str) -> None:
    for _ in range(2):  # a refusal is not remembered as good
        with pytest.raises(InvalidOutput, match=says):
            check_meta(meta)
