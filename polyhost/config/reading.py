"""From the text of a configuration file to its values, each with its line; no layer below yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polyhost.config.kinds import ValueKind
from polyhost.config.problems import Problems, nearest
from polyhost.config.schema import KEYS, MODEL, SCHEMA, Field, Section
from polyhost.files.yaml_nodes import YamlFault, compose, entries, is_empty
from polyhost.settings import MODEL_NAME, Setting, Source

Values = dict[str, Setting[Any]]
"""Settings by dotted name. An entry of a map has the map's name before its own."""


@dataclass
class Document:
    """What a file says. ``places`` has where each model and each key begins.

    ``mistaken`` has the names of settings whose value could not be read, ``keys.N`` for a key with
    any mistake in it, and the empty text for a file that could not be read at all.
    """

    values: Values = field(default_factory=dict)
    models: dict[str, Values] = field(default_factory=dict)
    keys: list[Values] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    mistaken: set[str] = field(default_factory=set)


def read(path: Path, problems: Problems) -> Document:
    """The document in a file; its mistakes are added to ``problems``."""
    document = Document()
    reader = Reader(str(path), path.absolute().parent, problems, document.mistaken)
    root = reader.compose(path)
    if root is None and problems.found:
        document.mistaken.add("")
    if root is not None:
        reader.section(root, SCHEMA, "", document.values, document)
    return document


class Reader:
    """Walks YAML nodes along the schema.

    ``within``: folders (links followed) that files named by a value have to lie below; None is
    anywhere. ``lines``: whether places have lines, as those of a file have.
    """

    def __init__(
        self,
        name: str,
        base: Path,
        problems: Problems,
        mistaken: set[str],
        *,
        within: Sequence[Path] | None = None,
        lines: bool = True,
    ) -> None:
        self._within = within
        self._lines = lines
        self._name = name
        self._base = base
        self._problems = problems
        self._mistaken = mistaken

    def compose(self, path: Path) -> Any:
        """The root node; None for an empty file, and for one that cannot be read."""
        try:
            return compose(path.read_text(encoding="utf-8-sig"))
        except YamlFault as fault:
            self._wrong(fault.line, f"{fault.text}.")
        except UnicodeDecodeError as error:
            self._wrong(1, f"expected UTF-8 text; {error.reason} at byte {error.start}.")
        except OSError as error:
            self._problems.add("", f"cannot read {self._name}: {error.strerror}.")
        return None

    def section(
        self, node: Any, section: Section, prefix: str, into: Values, document: Document
    ) -> None:
        """Read the settings under one key."""
        shown = prefix.rstrip(".") or "the file"
        if is_empty(node):
            return
        if node.id != "mapping":
            short = section.get(section.short)
            if isinstance(short, Field) and node.id == "scalar":
                self.field(node, short, prefix + short.name, into)
            else:
                self._mismatch(node, shown, "settings by name")
            return
        for key, line, value in entries(node, shown, self._wrong_entry):
            part = section.get(key)
            if part is None:
                self._unknown(line, key, section, shown)
            elif isinstance(part, Field):
                self.field(value, part, prefix + key, into)
            elif part is MODEL:
                self._models(value, document)
            elif part is KEYS:
                self._keys(value, document)
            else:
                self.section(value, part, f"{prefix}{key}.", into, document)

    def _models(self, node: Any, document: Document) -> None:
        if is_empty(node):
            return
        if node.id != "mapping":
            self._mismatch(node, "models", "models by name")
            return
        for name, line, value in entries(node, "models", self._wrong_entry):
            if not MODEL_NAME.fullmatch(name):
                self._wrong(
                    line,
                    f"wrong model name {name!r}: expected letters, digits, '_', '-' and '.', "
                    "up to 128.",
                )
                continue
            values = document.models[name] = {}
            document.places[f"models.{name}"] = self._place(line)
            self.section(value, MODEL, f"models.{name}.", values, document)
            document.models[name] = _without(f"models.{name}.", values)
            self._require(MODEL, document.models[name], f"models.{name}", line)

    def _keys(self, node: Any, document: Document) -> None:
        if is_empty(node):
            return
        if node.id != "sequence":
            self._mismatch(node, "keys", "a list of keys")
            self._mistaken.add("keys")
            return
        for number, item in enumerate(node.value, 1):
            name, values = f"keys.{number}", Values()
            before = len(self._problems.found)
            document.places[name] = self._place(item.start_mark.line + 1)
            self.section(item, KEYS, f"{name}.", values, document)
            values = _without(f"{name}.", values)
            self._require(KEYS, values, name, item.start_mark.line + 1)
            if len(self._problems.found) > before:
                self._mistaken.add(name)
            document.keys.append(values)

    def _require(self, section: Section, values: Values, name: str, line: int) -> None:
        for part in section.fields:
            if isinstance(part, Field) and part.required and part.name not in values:
                if f"{name}.{part.name}" not in self._mistaken:
                    self._wrong(line, f"{name} lacks {part.name}: expected {part.kind.expected}.")

    def field(self, node: Any, part: Field, name: str, into: Values) -> None:
        """Read the value or values of one setting."""
        if part.many == "map":
            self._map(node, part, name, into)
        elif part.many == "list":
            items = node.value if node.id == "sequence" else [node]
            values = [self._value(item, part, name) for item in items]
            if None not in values:
                line = node.start_mark.line + 1
                into[name] = self._setting(tuple(found.value for found in values if found), line)
        else:
            found = self._value(node, part, name)
            if found is not None:
                into[name] = found

    def _map(self, node: Any, part: Field, name: str, into: Values) -> None:
        if is_empty(node):
            return
        if node.id != "mapping":
            self._mismatch(node, name, f"names with {part.kind.expected} each")
            return
        for key, line, value in entries(node, name, self._wrong_entry):
            if not self._is_name(key, part, name, line):
                continue
            found = self._value(value, part, f"{name}.{key}")
            if found is not None:
                into[f"{name}.{key}"] = found

    def _is_name(self, key: str, part: Field, name: str, line: int) -> bool:
        try:
            part.keys.parse(_plain(key), self._base)
        except ValueError as error:
            found = str(error) or repr(key)
            self._wrong(line, f"{name}: expected {part.keys.expected}; found {found}.")
            return False
        return True

    def _value(self, node: Any, part: Field, name: str) -> Setting[Any] | None:
        line = node.start_mark.line + 1
        if node.id != "scalar":
            self._mismatch(node, name, part.kind.expected)
        elif is_empty(node):
            self._wrong(line, f"{name} has no value: expected {part.kind.expected}.")
        else:
            try:
                text = _plain(node.value)
                self._check_place(part.kind, text)
                return self._setting(part.kind.parse(text, self._base), line)
            except (ValueError, OSError) as error:
                self._wrong(line, mistake(name, part, node.value, error))
        self._mistaken.add(name)
        return None

    def _check_place(self, kind: ValueKind, text: str) -> None:
        """ValueError for a place outside of the allowed folders, whatever is there."""
        if self._within is None:
            return
        place = kind.leads_to(text, self._base)
        if place is not None and not any(place.is_relative_to(root) for root in self._within):
            roots = ", ".join(map(str, self._within))
            raise ValueError(f"a place that is not below {roots}")

    def _unknown(self, line: int, key: str, section: Section, shown: str) -> None:
        known = [part.name for part in section.fields]
        deeper = [name for name, _ in section.leaves() if name.endswith(f".{key}")]
        hint = f" It is called {deeper[0]} here." if deeper else nearest(key, known)
        self._wrong(
            line, f"unknown key {key!r} in {shown}: expected one of {', '.join(known)}.{hint}"
        )

    def _mismatch(self, node: Any, shown: str, expected: str) -> None:
        found = {"scalar": f"{node.value!r}", "sequence": "a list", "mapping": "keys and values"}
        self._wrong(
            node.start_mark.line + 1, f"{shown}: expected {expected}; found {found[node.id]}."
        )

    def _setting(self, value: Any, line: int) -> Setting[Any]:
        return Setting(value, Source.FILE, self._place(line))

    def _place(self, line: int) -> str:
        return f"{self._name}:{line}" if self._lines else self._name

    def _wrong_entry(self, line: int, text: str) -> None:
        self._wrong(line, f"{text}.")

    def _wrong(self, line: int, text: str) -> None:
        self._problems.add(self._place(line), text)


def _plain(text: str) -> str:
    """The text; ValueError for what no process and no file name can hold."""
    if "\0" in text:
        raise ValueError("a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("half of a surrogate pair")
    return text


def mistake(name: str, part: Field, text: str, error: ValueError | OSError) -> str:
    """The sentence about a value that is not of its kind."""
    if isinstance(error, OSError):
        return f"{name}: expected {part.kind.expected}; {error.strerror}."
    # A kind says what it found in its own words, or nothing; int() and float() say theirs.
    own = type(error) is ValueError and str(error) and "could not convert" not in str(error)
    found = str(error) if own else repr(text)
    return f"{name}: expected {part.kind.expected}; found {found}."


def _without(prefix: str, values: Values) -> Values:
    return {name[len(prefix) :]: setting for name, setting in values.items()}
