"""A small writer of ``.jlso`` containers (version 4), as JLSO.jl would write them.

For tests and demonstrations where JLSO.jl cannot be installed: the objects are made by Julia's
own ``serialize``; this puts them into the container.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Mapping
from typing import Any

_ANY = {"tag": "datatype", "params": [], "name": ["Core", "Any"]}
_STRING = {"tag": "datatype", "params": [], "name": ["Core", "String"]}
_INT64 = {"tag": "datatype", "params": [], "name": ["Core", "Int64"]}


def write(
    objects: Mapping[str, bytes],
    *,
    julia: str,
    compression: str = "none",
    format: str = "julia_serialize",
    manifest: bytes = b"",
) -> bytes:
    """A container of these objects, given as their own bytes."""
    packed = {name: _packed(raw, compression) for name, raw in objects.items()}
    metadata = {
        "version": "4.0.0",
        "julia": julia,
        "format": format,
        "compression": compression,
        "image": "",
        "project": "",
        "manifest": _packed(manifest, compression),
    }
    sizes = [len(raw) for raw in packed.values()]
    document = _root(metadata, list(packed), sizes, 0)
    # Positions are absolute and take the same room whatever their values are.
    return _root(metadata, list(packed), sizes, len(document)) + b"".join(packed.values())


def _packed(raw: bytes, compression: str) -> bytes:
    return gzip.compress(raw) if compression.startswith("gzip") else raw


def _root(metadata: dict[str, Any], names: list[str], sizes: list[int], start: int) -> bytes:
    positions = [start + sum(sizes[:i]) for i in range(len(sizes))]
    root = lowered_dict(
        {
            "metadata": lowered_dict(metadata),
            "object-names": names,
            "object-nbytes": lowered_ints(sizes),
            "object-pos": lowered_ints(positions),
        }
    )
    return bson({**root, "_backrefs": []})


def lowered_dict(value: Mapping[str, Any]) -> dict[str, Any]:
    """A ``Dict{String,Any}`` as BSON.jl lowers it."""
    kind = {"tag": "datatype", "params": [_STRING, _ANY], "name": ["Main", "Base", "Dict"]}
    return {"tag": "struct", "type": kind, "data": [list(value), list(value.values())]}


def lowered_ints(values: list[int]) -> dict[str, Any]:
    """A ``Vector{Int64}`` as BSON.jl lowers it."""
    data = struct.pack(f"<{len(values)}q", *values)
    return {"tag": "array", "type": _INT64, "size": [len(values)], "data": data}


def bson(document: Mapping[str, Any]) -> bytes:
    """A document of str, bytes, bool, int, float, None, lists and dicts."""
    fields = b"".join(_field(name, value) for name, value in document.items())
    return struct.pack("<i", len(fields) + 5) + fields + b"\0"


def _field(name: str, value: Any) -> bytes:
    kind, raw = _value(value)
    return bytes([kind]) + name.encode() + b"\0" + raw


def _value(value: Any) -> tuple[int, bytes]:
    if value is None:
        return 0x0A, b""
    if isinstance(value, bool):
        return 0x08, bytes([value])
    if isinstance(value, int):
        return 0x12, struct.pack("<q", value)
    if isinstance(value, float):
        return 0x01, struct.pack("<d", value)
    if isinstance(value, str):
        raw = value.encode() + b"\0"
        return 0x02, struct.pack("<i", len(raw)) + raw
    if isinstance(value, bytes):
        return 0x05, struct.pack("<i", len(value)) + b"\0" + value
    if isinstance(value, dict):
        return 0x03, bson(value)
    return 0x04, bson({str(i): item for i, item in enumerate(value)})
