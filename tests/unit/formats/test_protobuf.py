"""Our reader and writer of messages against the protobuf package."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from polyhost.errors import InvalidInput
from polyhost.formats import protobuf as pb

TYPES = {
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "float": descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
}


def message_class() -> Any:
    """A message with a repeated field of each type; its number is the place in TYPES."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    message = file.message_type.add(name="M")
    for number, (name, kind) in enumerate(TYPES.items(), 1):
        message.field.add(name=name, number=number, type=kind, label=3)  # type: ignore[arg-type]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.M"))


M = message_class()
LONG = st.integers(-(2**63), 2**63 - 1)


def parts_of(data: bytes, number: int) -> list[Any]:
    return [value for found, _, value in pb.fields(memoryview(data)) if found == number]


@settings(max_examples=100)
@given(
    longs=st.lists(LONG, max_size=20),
    ints=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20),
    unsigned=st.lists(st.integers(0, 2**64 - 1), max_size=20),
    flags=st.lists(st.booleans(), max_size=20),
    doubles=st.lists(st.floats(), max_size=20),
    texts=st.lists(st.text(max_size=200), max_size=5),
)
def test_what_protobuf_writes_is_read(
    longs: Any, ints: Any, unsigned: Any, flags: Any, doubles: Any, texts: Any
) -> None:
    data = M(
        int64=longs, int32=ints, uint64=unsigned, bool=flags, double=doubles, string=texts
    ).SerializeToString()
    assert pb.varints(parts_of(data, 1)).view(np.int64).tolist() == longs
    assert pb.varints(parts_of(data, 2)).view(np.int64).tolist() == ints
    assert pb.varints(parts_of(data, 3)).tolist() == unsigned
    assert pb.varints(parts_of(data, 4)).astype(bool).tolist() == flags
    np.testing.assert_array_equal(pb.fixed(parts_of(data, 6), "f8"), doubles)
    assert [pb.text(part, "x") for part in parts_of(data, 7)] == texts


@settings(max_examples=100)
@given(longs=st.lists(LONG, max_size=20), text=st.text(max_size=300), raw=st.binary(max_size=300))
def test_what_is_written_protobuf_reads(longs: Any, text: str, raw: bytes) -> None:
    data = pb.packed(1, longs) + pb.number(4, True) + pb.field(7, text) + pb.known(8, raw)
    found = M.FromString(data)
    assert list(found.int64) == longs
    assert list(found.bool) == [True]
    assert list(found.string) == [text]
    assert list(found.bytes) == ([raw] if raw else [])


def test_repeated_numbers_may_be_unpacked() -> None:
    data = pb.number(1, -5) + pb.packed(1, [7, 300]) + pb.number(1, 2**40)
    assert pb.varints(parts_of(data, 1)).view(np.int64).tolist() == [-5, 7, 300, 2**40]
    assert list(M.FromString(data).int64) == [-5, 7, 300, 2**40]


@given(st.binary(max_size=60))
def test_what_is_no_message_is_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        for _, _, value in pb.fields(memoryview(data)):
            pb.varints([value])
    except InvalidInput:
        pass


@pytest.mark.parametrize(
    "cut", [b"\x0a", b"\x0a\x05ab", b"\xff" * 11, b"\x0b", b"\x01", b"\x02\x00"]
)
def test_a_message_that_breaks_off_is_named(cut: bytes) -> None:
    with pytest.raises(InvalidInput, match="no Protocol Buffers message"):
        list(pb.fields(memoryview(cut)))
