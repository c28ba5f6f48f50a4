"""Plain YAML as nodes with their lines: no anchors, no tags, no key twice.

A reader walks the nodes along its own schema, so that what it reports has a line. Scalars stay text.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Tuple

DEEPEST = 64
"""Levels of lists and mappings in each other."""


class YamlFault(Exception):
    """The text is not plain YAML. ``line`` counts from 1; ``text`` has no full stop."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


def compose(text: str) -> Any:
    """The root node of the one document in a text; None when it is empty."""
    import yaml

    try:
        _check_tokens(yaml, text)
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or _reason(error)
        line = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))
        raise YamlFault(line + 1, f"this is not YAML: {what}") from error


def _check_tokens(yaml: Any, text: str) -> None:
    """Refuse what is not plain, and nesting before its cost grows with the square of its depth."""
    refused = (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken)
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        line = token.start_mark.line + 1
        name = type(token).__name__.replace("Token", "")
        if isinstance(token, refused):
            raise YamlFault(
                line, f"YAML's {name.lower()} is not allowed here: expected plain values"
            )
        if name.endswith(("MappingStart", "SequenceStart")):
            depth += 1
        elif name.endswith("End"):
            depth -= 1
        if depth > DEEPEST:
            raise YamlFault(line, f"the text is nested too deep: expected at most {DEEPEST} levels")


def _reason(error: Exception) -> str:
    """What a reader's error says, without its place in the text."""
    return str(getattr(error, "reason", None) or error)


def entries(
    node: Any, shown: str, wrong: Callable[[int, str], object]
) -> Iterator[Tuple[str, int, Any]]:
    """Each key of a mapping, its line and its value node.

    ``wrong`` gets the line and the text for a key that is not text or comes twice; it may raise.
    """
    seen: Dict[str, int] = {}
    for key_node, value in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value
        if key_node.id != "scalar":
            wrong(line, f"a key of {shown} is not text: expected a name")
        elif key in seen:
            wrong(line, f"{key!r} is in {shown} twice, first in line {seen[key]}. Keep one")
        else:
            seen[key] = line
            yield key, line, value


def is_empty(node: Any) -> bool:
    """True for a key with nothing after it."""
    return node.id == "scalar" and node.value == "" and node.style is None
