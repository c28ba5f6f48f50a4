"""What an Accept header chooses, by RFC 9110 section 12.5.1."""

from __future__ import annotations

import pytest

from polyhost.codecs.accept import FORM, form_of
from polyhost.errors import NotAcceptable

STREAM = "application/vnd.apache.arrow.stream"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", ""),
        ("*/*", ""),
        ("application/json", ""),
        ("application/*", ""),
        ("text/html,application/xhtml+xml,*/*;q=0.8", ""),
        ("text/csv", "text/csv"),
        ("TEXT/CSV", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv; header=absent", "text/csv;header=absent"),
        ('text/csv;header="present";q=0.9', "text/csv;header=present"),
        ("text/csv, */*", "text/csv"),
        ("application/json, text/csv", ""),
        ("text/csv, application/json", "text/csv"),
        ("text/csv;q=0.5, application/json", ""),
        ("text/csv;q=0, */*", ""),
        ("application/json;q=0, */*", "text/csv"),
        (STREAM, STREAM),
        ("application/x-parquet", "application/x-parquet"),
        (f"image/png, {STREAM};q=0.1", STREAM),
        ("application/x-ndjson", "application/x-ndjson"),
    ],
)
def test_a_form_is_chosen(accept: str, form: str) -> None:
    assert form_of(accept) == form


@pytest.mark.parametrize("accept", ["image/png", "application/xml, text/html", "text/csv;q=0", "x"])
def test_what_cannot_be_had_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="expected one of application/json, text/csv"):
        form_of(accept)
    assert form_of(accept, strict=False) == ""


def test_lines_are_answered_by_lines() -> None:
    assert form_of("", "application/jsonlines") == "application/jsonlines"
    assert form_of("*/*", "application/x-ndjson; charset=utf-8") == "application/x-ndjson"
    assert form_of("application/json", "application/jsonlines") == ""
    assert form_of("text/csv", "application/jsonlines") == "text/csv"


def test_another_default() -> None:
    assert form_of("*/*", "text/csv", FORM) == ""
    assert form_of("multipart/form-data", "text/csv", FORM) == ""
    assert form_of("application/json", "text/csv", FORM) == "application/json"
