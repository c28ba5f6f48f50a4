"""Unstructured models: what they get and what they answer, in every language."""

from __future__ import annotations

import pytest
from conformance.cases import cases, cases_without_gaps, run_score

ONE = ["unstructured"]
NAME = "unstructured"
TOLD = "unstructured_told"
NOTHING = "The score_unstructured hook returned nothing (None, NULL, null).\n"


def ask(server, mode: str, body: bytes, content_type: str):
    path = f"/models/{NAME}/predictUnstructured/" + (f"?mode={mode}" if mode else "")
    return server.post(path, body, content_type)


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(ONE))
@pytest.mark.parametrize(
    ("mode", "body", "sent", "answer", "received"),
    [
        ("", "grüße".encode(), "text/plain; charset=utf-8", "GRÜSSE".encode(), "text/plain; charset=utf-8"),
        ("upper", b"abc", "", b"ABC", "text/plain; charset=utf-8"),
        ("bytes", b"x", "text/plain", b"\x00\x01\x02\xff", "application/octet-stream"),
        ("none", b"x", "text/plain", b"", "text/plain; charset=utf-8"),
        ("typed", b"{}", "application/json", b'{"ok":true}', "application/json; charset=utf8"),
        ("length", b"\x00\xff\n\r\x01", "application/octet-stream", b"5", "text/plain; charset=utf-8"),
        ("upper", b"", "text/plain", b"", "text/plain; charset=utf-8"),
    ],
)  # fmt: skip
def test_over_http(models_of, scenario, runtime, mode, body, sent, answer, received):
    reply = ask(models_of(runtime), mode, body, sent)
    content = reply.content
    if "grüße".encode() == body:  # ß has no capital in some languages
        content = content.replace("GRÜßE".encode(), answer).replace("GRÜẞE".encode(), answer)
    assert (reply.status_code, content) == (200, answer)
    assert reply.headers["content-type"] == received


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(ONE))
def test_a_hook_that_raises_is_an_error_and_the_next_request_is_answered(
    models_of, scenario, runtime
):
    server = models_of(runtime)
    failed = ask(server, "raise", b"x", "text/plain")
    assert failed.status_code == 500
    assert "asked to fail" in failed.json()["message"]
    assert ask(server, "upper", b"x", "text/plain").text == "X"


@pytest.mark.parametrize(("scenario", "runtime"), cases(ONE))
@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("", b"ABC"),
        ("mode=none&mode=bytes", b"\x00\x01\x02\xff"),
        ("mode=none", NOTHING.encode()),
        ("mode=typed", b'{"ok":true}'),
    ],
)
def test_from_the_command_line(polyhost, scenario, runtime, query, answer):
    flags = ("--query", query) if query else ()
    assert run_score(polyhost, scenario, runtime, b"abc", *flags).read_bytes() == answer


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(ONE))
def test_the_structured_route_names_the_right_one(models_of, scenario, runtime):
    reply = models_of(runtime).post(f"/models/{NAME}/predict/", "a\n1\n")
    assert reply.status_code == 422
    assert "/predictUnstructured/" in reply.json()["message"]


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps([TOLD]))
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("", "text/plain|utf-8|text|first"),
        ("text/html", "text/html|utf-8|text|first"),
        ("application/json", "application/json|utf-8|text|first"),
        ("application/json; charset=latin1", "application/json|latin1|text|first"),
        ("text/csv; charset=UTF-16", "text/csv|UTF-16|text|first"),
        ("application/vnd.x+json", "application/vnd.x+json|absent|bytes|first"),
        ("image/png; charset=latin1", "image/png|latin1|bytes|first"),
        (
            "application/x-www-form-urlencoded",
            "application/x-www-form-urlencoded|absent|bytes|first",
        ),
    ],
)
def test_what_a_hook_is_told_over_http(models_of, scenario, runtime, sent, told):
    """Of a repeated query key the first value counts."""
    path = f"/models/{scenario}/predictUnstructured/?k=first&k=second"
    reply = models_of(runtime).post(path, b"{}", sent)
    assert (reply.status_code, reply.text) == (200, told)


@pytest.mark.parametrize(("scenario", "runtime"), cases([TOLD]))
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ((), "text/plain|utf8|text|absent"),
        (("--query", "k=first&k=second&k="), "text/plain|utf8|text|second"),
        (("--content-type", "application/octet-stream"), "application/octet-stream|absent|bytes|absent"),
    ],
)  # fmt: skip
def test_what_a_hook_is_told_from_the_command_line(polyhost, scenario, runtime, flags, told):
    """The last value counts, blank ones do not."""
    assert run_score(polyhost, scenario, runtime, b"abc", *flags).read_text() == told
