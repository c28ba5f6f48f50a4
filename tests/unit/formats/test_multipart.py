from __future__ import annotations

import contextlib
import mmap
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.fields import RequestField
from urllib3.filepost import encode_multipart_formdata

from polyhost.errors import InvalidInput
from polyhost.formats.multipart import FormPart, encode, parse

name = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='"\\'), min_size=1)
body = st.one_of(
    st.binary(max_size=60), st.text("\r\n-b", max_size=20).map(str.encode), st.just(b"\r\n--")
)
boundary = st.text("abcXYZ019'()+_,-./:=?", min_size=1, max_size=20).filter(
    lambda text: not text.endswith(" ")
)


@given(st.dictionaries(name, st.tuples(body, st.none() | name), max_size=5), boundary)
def test_what_a_standard_encoder_wrote_is_read(parts, boundary):
    delimiter = b"\r\n--" + boundary.encode()
    parts = {k: v for k, v in parts.items() if delimiter not in b"\r\n" + v[0] + b"\r\n--"}
    fields = []
    for key, (content, filename) in parts.items():
        field = RequestField(key, content, filename)
        field.make_multipart()
        fields.append(field)
    encoded, _ = encode_multipart_formdata(fields, boundary)
    found = parse(f'multipart/form-data; boundary="{boundary}"', memoryview(encoded))
    assert {k: (bytes(p.body), p.filename) for k, p in found.items()} == parts


@given(st.dictionaries(name, body, max_size=5))
def test_what_we_write_is_read(parts):
    encoded, content_type = encode([FormPart(key, content) for key, content in parts.items()])
    assert {k: bytes(p.body) for k, p in parse(content_type, encoded).items()} == parts


def test_the_parts_are_views_into_the_body():
    encoded, content_type = encode(
        [FormPart("X", b"a\n1\n", "x.csv", "text/csv"), FormPart("y", b"5")]
    )
    with tempfile.TemporaryFile() as file:
        file.write(encoded)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            view = memoryview(mapped)
            found = parse(content_type, view)
            part = found.pop("X")
            assert (part.filename, part.content_type) == ("x.csv", "text/csv")
            assert bytes(part.body) == b"a\n1\n"
            assert part.body.obj is mapped
            del part, found
            view.release()


def test_preamble_epilogue_and_bare_line_feeds():
    encoded = (
        b'ignored\n--b\nContent-Disposition: form-data; name="X"\n\na\n1\n--b \n'
        b"content-disposition: form-data; name=y\n\n5\n--b--\nignored"
    )
    found = parse("multipart/form-data; boundary=b", encoded)
    assert {key: bytes(part.body) for key, part in found.items()} == {"X": b"a\n1", "y": b"5"}


def test_of_a_repeated_name_the_first_counts():
    encoded, content_type = encode([FormPart("X", b"1"), FormPart("X", b"2")])
    assert bytes(parse(content_type, encoded)["X"].body) == b"1"


def test_encoded_and_folded_headers():
    encoded = (
        b"--b\r\nContent-Disposition: form-data;\r\n name=\"X\"; filename*=UTF-8''na%C3%AFve.csv"
        b"\r\n\r\n1\r\n--b--\r\n"
    )
    assert parse("multipart/form-data; boundary=b", encoded)["X"].filename == "naïve.csv"


@pytest.mark.parametrize(
    ("content_type", "sent", "says"),
    [
        ("multipart/form-data", b"--b--", "without a boundary"),
        ("multipart/form-data; boundary=b", b"nothing", "expected a line '--b'"),
        ("multipart/form-data; boundary=b", b"--b\r\na: 1\r\n\r\ncut", "cut short"),
        ("multipart/form-data; boundary=b", b"--b\r\na: 1\r\n--b--", "no blank line"),
    ],
)
def test_malformed_bodies_are_the_callers_mistake(content_type, sent, says):
    with pytest.raises(InvalidInput, match=says):
        parse(content_type, sent)


@given(st.binary(max_size=200))
def test_no_body_raises_anything_else(sent):
    with contextlib.suppress(InvalidInput):
        parse("multipart/form-data; boundary=b", b"--b\r\n" + sent)
