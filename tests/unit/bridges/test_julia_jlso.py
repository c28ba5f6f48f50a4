"""The reader of ``.jlso`` containers, against a writer, older layouts, and damage."""

from __future__ import annotations

import gzip
import importlib.util
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.bridges.julia import jlso
from polyhost.errors import LoadError

BUILTIN = Path(__file__).resolve().parents[2] / "models" / "builtin" / "julia"


def _writer():
    spec = importlib.util.spec_from_file_location("jlso_writer", BUILTIN / "jlso_writer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


writer = _writer()

TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"))
OBJECT = b"7JL\x07abc"
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(blacklist_categories=("Cs",)))
    | st.binary()
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20
)


@given(st.dictionaries(TEXT, VALUES))
def test_bson_is_read_as_it_was_written(document):
    assert jlso.parse(writer.bson(document)) == document


@given(st.dictionaries(TEXT, VALUES), st.data())
def test_damaged_bson_is_an_error_and_never_anything_else(document, data):
    raw = bytearray(writer.bson(document))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] = data.draw(st.integers(0, 255))
    try:
        jlso.parse(bytes(raw))
    except (ValueError, IndexError, struct.error):
        return


@given(
    st.dictionaries(TEXT, st.binary().map(OBJECT.__add__)),
    st.sampled_from(["none", "gzip", "gzip_fastest"]),
)
def test_a_container_is_read_as_it_was_written(objects, compression):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.jlso")
        path.write_bytes(
            writer.write(objects, julia="1.5.3", compression=compression, manifest=b"[[CSV]]")
        )
        assert jlso.read(path) == jlso.Artifact(
            tuple(objects.items()), "julia_serialize", "1.5.3", "[[CSV]]"
        )


def test_a_plain_stream_is_one_object(tmp_path):
    (tmp_path / "m.jlso").write_bytes(b"7JL\x0arest")
    assert jlso.read(tmp_path / "m.jlso") == jlso.Artifact((("object", b"7JL\x0arest"),))


def version_number(text):
    empty = {"tag": "tuple", "data": []}
    parts = [int(part) for part in text.split(".")]
    return {
        "tag": "struct",
        "type": {"tag": "datatype", "params": [], "name": ["Core", "VersionNumber"]},
        "data": [*parts, empty, empty],
    }


def symbol(name):
    return {"tag": "symbol", "name": name}


def old_container(**metadata):
    root = writer.lowered_dict(
        {
            "metadata": writer.lowered_dict(metadata),
            "objects": writer.lowered_dict({"model": OBJECT}),
        }
    )
    return writer.bson({**root, "_backrefs": []})


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (
            {"version": version_number("1.0.0"), "julia": version_number("1.0.5")}
            | {"format": symbol("serialize")},
            jlso.Artifact((("model", OBJECT),), "julia_serialize", "1.0.5"),
        ),
        (
            {"version": version_number("2.0.0"), "julia": version_number("1.3.1")}
            | {"format": symbol("bson"), "compression": symbol("none")},
            jlso.Artifact((("model", OBJECT),), "bson", "1.3.1"),
        ),
        (
            {"version": "3.0.0", "julia": "1.4.2", "format": "julia_serialize"}
            | {"compression": "none", "manifest": b"[[CSV]]"},
            jlso.Artifact((("model", OBJECT),), "julia_serialize", "1.4.2", "[[CSV]]"),
        ),
    ],
)
def test_older_layouts(tmp_path, container, expected):
    (tmp_path / "m.jlso").write_bytes(old_container(**container))
    assert jlso.read(tmp_path / "m.jlso") == expected


def test_compressed_objects_inside_the_document(tmp_path):
    root = writer.lowered_dict(
        {
            "metadata": writer.lowered_dict(
                {"julia": "1.4.2", "format": "julia_serialize", "compression": "gzip_smallest"}
            ),
            "objects": writer.lowered_dict({"model": gzip.compress(OBJECT)}),
        }
    )
    (tmp_path / "m.jlso").write_bytes(writer.bson(root))
    assert jlso.read(tmp_path / "m.jlso").objects == (("model", OBJECT),)


def test_shared_values_are_found_through_back_references():
    shared = writer.lowered_dict({"a": "b"})
    root = {"x": {"tag": "backref", "ref": 1}, "_backrefs": [shared]}
    assert jlso.Lowered(root).value(root) == {"x": {"a": "b"}}


def test_a_document_that_refers_to_itself_is_refused():
    root = {"x": {"tag": "backref", "ref": 1}, "_backrefs": [{"tag": "backref", "ref": 1}]}
    with pytest.raises(ValueError, match="refers to itself"):
        jlso.Lowered(root).value(root)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x10\0\0\0short", b"7J"])
def test_another_file_is_a_load_error(tmp_path, content):
    (tmp_path / "m.jlso").write_bytes(content)
    with pytest.raises(LoadError, match=r"m\.jlso cannot be read as a \.jlso artifact"):
        jlso.read(tmp_path / "m.jlso")


def test_an_object_that_serialize_did_not_write_says_so(tmp_path):
    (tmp_path / "m.jlso").write_bytes(writer.write({"model": b"nonsense"}, julia="1.5.3"))
    with pytest.raises(LoadError, match="'model' begins with b'nonsense'"):
        jlso.read(tmp_path / "m.jlso")


def test_a_container_that_is_cut_short_says_so(tmp_path):
    whole = writer.write({"model": OBJECT.ljust(100)}, julia="1.5.3")
    (tmp_path / "m.jlso").write_bytes(whole[:-10])
    with pytest.raises(LoadError, match="'model' has 90 of its 100 bytes"):
        jlso.read(tmp_path / "m.jlso")
