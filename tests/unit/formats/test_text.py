from __future__ import annotations

import pytest

from polyhost.data.payload import Payload
from polyhost.errors import InvalidInput, InvalidOutput
from polyhost.formats.text import unstructured_input, unstructured_output
from polyhost.predictor import Reply


@pytest.mark.parametrize(
    ("mimetype", "charset", "data", "seen"),
    [
        ("", None, "é", ("text/plain", "utf-8")),
        ("text/csv", None, "é", ("text/csv", "utf-8")),
        ("application/json", None, "é", ("application/json", "utf-8")),
        ("text/plain", "latin-1", "Ã©", ("text/plain", "latin-1")),
        ("application/json", "utf8", "é", ("application/json", "utf8")),
        ("application/octet-stream", None, "é".encode(), ("application/octet-stream", None)),
        ("application/vnd.x+json", None, "é".encode(), ("application/vnd.x+json", None)),
        ("image/png", "utf-8", "é".encode(), ("image/png", "utf-8")),
        ("application/x-www-form-urlencoded", None, "é".encode(), None),
    ],
)
def test_what_is_text(mimetype, charset, data, seen):
    found, payload = unstructured_input(Payload(memoryview("é".encode()), mimetype, charset))
    assert found == data
    assert (payload.mimetype, payload.charset) == (seen or (mimetype, charset))


def test_an_empty_body_is_empty_text():
    assert unstructured_input(Payload(b""))[0] == ""


@pytest.mark.parametrize(
    ("charset", "says"), [("utf-8", "body is not utf-8 text"), ("klingon", "unknown charset")]
)
def test_text_that_cannot_be_decoded(charset, says):
    with pytest.raises(InvalidInput, match=says):
        unstructured_input(Payload(b"\xff", "text/plain", charset))


@pytest.mark.parametrize(
    ("reply", "body", "content_type"),
    [
        (Reply("é"), "é".encode(), "text/plain; charset=utf-8"),
        (Reply(None), b"", "text/plain; charset=utf-8"),
        (Reply(b"\xff"), b"\xff", "application/octet-stream"),
        (Reply(b"x", charset="utf8"), b"x", "application/octet-stream; charset=utf8"),
        (Reply("é", "text/html", "latin-1"), b"\xe9", "text/html; charset=latin-1"),
        (Reply("{}", "application/json"), b"{}", "application/json; charset=utf-8"),
    ],
)
def test_what_is_answered(reply, body, content_type):
    assert unstructured_output(reply) == (body, content_type)


def test_a_stream_is_encoded_chunk_by_chunk():
    body, content_type = unstructured_output(Reply(iter(["é", b"\xff"])))
    assert list(body) == ["é".encode(), b"\xff"]
    assert content_type == "text/plain; charset=utf-8"


def test_text_that_cannot_be_encoded():
    with pytest.raises(InvalidOutput, match="cannot be sent as 'ascii'"):
        unstructured_output(Reply("é", charset="ascii"))
