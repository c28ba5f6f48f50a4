"""Strict YAML: no anchors, no tags, no repeated keys, a fixed schema, text scalars.

A typing error in a metadata file is then found when the file is read, with its line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from polyhost.data.booleans import boolean
from polyhost.errors import SettingsError
from polyhost.files.yaml_nodes import YamlFault, compose, entries


@dataclass(frozen=True)
class NodeKind:
    """What a value must be: ``text``, ``int``, ``bool``, ``any``, ``list`` or ``map``.

    ``one_of``: the texts that it may be, where not any will do.
    """

    is_a: str = "text"
    required: bool = False
    keys: Mapping[str, NodeKind] = field(default_factory=dict)
    items: Optional[NodeKind] = None
    one_of: Tuple[str, ...] = ()


TEXT = NodeKind()
REQUIRED = NodeKind(required=True)
ANY = NodeKind("any")
LIST_OF_ANY = NodeKind("list", items=ANY)
LIST_OF_TEXT = NodeKind("list", items=TEXT)

Value = Union[str, int, bool, List[Any], Dict[str, Any]]


def read_strictly(text: str, schema: NodeKind, path: Path) -> Dict[str, Any]:
    """The document in ``text``; SettingsError with the path and line of what is wrong in it."""
    return _YamlReader(path).document(text, schema)


class _YamlReader:
    """Turns YAML nodes into plain values, checking each against its kind."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def document(self, text: str, schema: NodeKind) -> Dict[str, Any]:
        try:
            root = compose(text)
        except YamlFault as fault:
            raise self._wrong(fault.line, fault.text) from fault
        if root is None:
            needed = ", ".join(key for key, of in schema.keys.items() if of.required)
            raise self._wrong(1, f"the file is empty; it needs {needed}")
        value = self._value(root, schema, "the file")
        assert isinstance(value, dict)
        return value

    def _value(self, node: Any, kind: NodeKind, name: str) -> Value:
        line = node.start_mark.line + 1
        found = {"scalar": "text", "sequence": "list", "mapping": "map"}[node.id]
        if kind.is_a in ("list", "map") and found != kind.is_a:
            raise self._wrong(line, f"{name} must be a {kind.is_a}; found {found}")
        if kind.is_a in ("text", "int", "bool") and found != "text":
            raise self._wrong(line, f"{name} must be {kind.is_a}; found a {found}")
        if found == "map":
            return self._map(node, kind, name)
        if found == "list":
            return [
                self._value(item, kind.items or ANY, f"item {i} of {name}")
                for i, item in enumerate(node.value, 1)
            ]
        return self._scalar(node, kind, name)

    def _map(self, node: Any, kind: NodeKind, name: str) -> Dict[str, Any]:
        values: Dict[str, Any] = {}
        for key, line, value_node in entries(node, name, self._raise):
            if kind.is_a == "map" and key not in kind.keys:
                raise self._wrong(
                    line, f"unknown key {key!r} in {name}; expected {', '.join(kind.keys)}"
                )
            values[key] = self._value(value_node, kind.keys.get(key, ANY), key)
        missing = [key for key, of in kind.keys.items() if of.required and key not in values]
        if missing:
            keys = ", ".join(f"'{key}'" for key in missing)
            line = node.start_mark.line + 1
            raise self._wrong(line, f"required key(s) {keys} not found in {name}")
        return values

    def _scalar(self, node: Any, kind: NodeKind, name: str) -> Value:
        text: str = node.value
        line = node.start_mark.line + 1
        if kind.is_a == "int":
            try:
                return int(text)
            except ValueError:
                raise self._wrong(line, f"{name} must be a whole number; found {text!r}") from None
        if kind.is_a == "bool":
            value = boolean(text)
            if value is None:
                raise self._wrong(line, f"{name} must be true or false; found {text!r}")
            return value
        if kind.one_of and text not in kind.one_of:
            raise self._wrong(line, f"{name} must be {' or '.join(kind.one_of)}; found {text!r}")
        return text

    def _raise(self, line: int, text: str) -> None:
        raise self._wrong(line, text)

    def _wrong(self, line: int, text: str) -> SettingsError:
        return SettingsError(f"{self._path}, line {line}: {text}.", path=str(self._path), line=line)
