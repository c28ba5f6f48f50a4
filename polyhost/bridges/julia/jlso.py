"""Reads ``.jlso`` artifacts without JLSO.jl: a BSON document, and the objects it describes.

Only the container is read here; an object's own bytes are for Julia. A plain stream of Julia's
``serialize``, which newer MLJ writes under any extension, is one object.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from polyhost.errors import LoadError

STREAM_MAGIC = b"7JL"


@dataclass(frozen=True)
class Artifact:
    """The objects of an artifact, decompressed, in Julia's serialization or in BSON.

    ``format`` is ``julia_serialize`` or ``bson``; ``julia`` the version that wrote it, and
    ``manifest`` the packages it had, where the container lists them.
    """

    objects: Tuple[Tuple[str, bytes], ...]
    format: str = "julia_serialize"
    julia: Optional[str] = None
    manifest: str = ""


def read(path: Path) -> Artifact:
    """The artifact in a file; LoadError when it is neither a container nor a stream."""
    content = path.read_bytes()
    if content.startswith(STREAM_MAGIC):
        return Artifact((("object", content),))
    try:
        return _container(content)
    except (ValueError, KeyError, IndexError, TypeError, struct.error, zlib.error) as error:
        raise LoadError(
            f"{path.name} cannot be read as a .jlso artifact: {type(error).__name__}: {error}. "
            "Expected a file that JLSO.save, MLJ.save or Julia's serialize wrote.",
            path=str(path),
        ) from error


def _container(content: bytes) -> Artifact:
    root = parse(content)
    document = Lowered(root).value(root)
    metadata = document["metadata"]
    compression = str(metadata.get("compression", "none"))
    packed = _objects(document, content)
    objects = tuple((name, _unpacked(raw, compression)) for name, raw in packed)
    kind = "bson" if metadata["format"] == "bson" else "julia_serialize"
    for name, raw in objects:
        if kind != "bson" and not raw.startswith(STREAM_MAGIC):
            raise ValueError(f"object {name!r} begins with {raw[:8]!r}: no stream of serialize")
    manifest = metadata.get("manifest")
    if isinstance(manifest, bytes):
        manifest = _unpacked(manifest, compression if manifest else "none").decode("utf-8")
    julia = metadata.get("julia")
    return Artifact(objects, kind, None if julia is None else str(julia), manifest or "")


def _objects(document: Dict[str, Any], content: bytes) -> List[Tuple[str, bytes]]:
    if "objects" in document:
        return list(document["objects"].items())
    places = zip(document["object-names"], document["object-pos"], document["object-nbytes"])
    found = [(name, content[start : start + size], size) for name, start, size in places]
    for name, raw, size in found:
        if len(raw) != size:
            raise ValueError(f"object {name!r} has {len(raw)} of its {size} bytes: the file is cut")
    return [(name, raw) for name, raw, _ in found]


def _unpacked(raw: bytes, compression: str) -> bytes:
    if compression == "none":
        return raw
    if compression.startswith("gzip"):
        return zlib.decompress(raw, 31)
    raise ValueError(f"unknown compression {compression!r}: expected none or gzip")


def parse(content: bytes) -> Dict[str, Any]:
    """A BSON document as plain values; ValueError for what BSON.jl does not write."""
    value, _ = _document(memoryview(content), 0)
    return value


def _document(data: memoryview, at: int) -> Tuple[Dict[str, Any], int]:
    (size,) = struct.unpack_from("<i", data, at)
    end = at + size
    if size < 5 or end > len(data):
        raise ValueError(f"a document of {size} bytes at {at} does not fit into {len(data)} bytes")
    at += 4
    fields: Dict[str, Any] = {}
    while data[at]:
        kind = data[at]
        name, at = _cstring(data, at + 1, end)
        fields[name], at = _value(kind, data, at)
        if at >= end:
            raise ValueError(f"field {name!r} runs over the end of its document at {end}")
    return fields, end


def _cstring(data: memoryview, at: int, end: int) -> Tuple[str, int]:
    stop = at
    while stop < end and data[stop]:
        stop += 1
    if stop == end:
        raise ValueError(f"a field name at {at} has no end")
    return bytes(data[at:stop]).decode("utf-8"), stop + 1


def _value(kind: int, data: memoryview, at: int) -> Tuple[Any, int]:
    if kind in _FIXED:
        shape = _FIXED[kind]
        return struct.unpack_from(shape, data, at)[0], at + struct.calcsize(shape)
    if kind == 0x0A:
        return None, at
    if kind == 0x03:
        return _document(data, at)
    if kind == 0x04:
        items, end = _document(data, at)
        return list(items.values()), end
    if kind not in (0x02, 0x05):
        raise ValueError(f"unknown BSON type 0x{kind:02x} at {at}")
    (size,) = struct.unpack_from("<i", data, at)
    start = at + (4 if kind == 0x02 else 5)
    raw = bytes(data[start : start + size])
    if size < 0 or len(raw) != size:
        raise ValueError(f"{size} bytes at {start} do not fit into {len(data)} bytes")
    return (raw[:-1].decode("utf-8") if kind == 0x02 else raw), start + size


_FIXED = {0x01: "<d", 0x08: "<?", 0x10: "<i", 0x12: "<q"}


class Lowered:
    """Raises what BSON.jl lowered: tagged documents back to values, shared ones through ``root``."""

    def __init__(self, root: Dict[str, Any]) -> None:
        self._shared = root.get("_backrefs") or []
        self._depth = 0

    def value(self, lowered: Any) -> Any:
        """The value; a document without a tag is a dict of values."""
        if isinstance(lowered, list):
            return [self.value(item) for item in lowered]
        if not isinstance(lowered, dict):
            return lowered
        if "tag" in lowered:
            return self._tagged(lowered)
        return {key: self.value(item) for key, item in lowered.items() if key != "_backrefs"}

    def _tagged(self, lowered: Dict[str, Any]) -> Any:
        tag = lowered["tag"]
        if tag == "symbol":
            return lowered["name"]
        if tag == "tuple":
            return self.value(lowered["data"])
        if tag == "array":
            return self._array(lowered)
        if tag == "backref":
            return self._backref(lowered["ref"])
        if tag == "struct":
            return self._struct(lowered)
        raise ValueError(f"unknown tag {tag!r} in the document")

    def _backref(self, number: int) -> Any:
        self._depth += 1
        if self._depth > 100:
            raise ValueError("the document refers to itself")
        value = self.value(self._shared[number - 1])
        self._depth -= 1
        return value

    def _array(self, lowered: Dict[str, Any]) -> Any:
        data = lowered["data"]
        if not isinstance(data, bytes):
            return self.value(data)
        name = _type_name(lowered["type"])
        if name == "UInt8":
            return data
        shape = {"Int64": "q", "Int32": "i", "UInt64": "Q", "Float64": "d"}[name]
        return list(struct.unpack(f"<{len(data) // struct.calcsize('<' + shape)}{shape}", data))

    def _struct(self, lowered: Dict[str, Any]) -> Any:
        name = _type_name(lowered["type"])
        data = self.value(lowered["data"])
        if name == "Dict":
            keys, values = data
            return dict(zip(keys, values))
        if name == "VersionNumber":
            return ".".join(str(part) for part in data[:3])
        return data


def _type_name(lowered: Dict[str, Any]) -> str:
    return str(lowered["name"][-1])
