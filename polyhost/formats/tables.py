"""What makes a table of any format ill-formed; the same for every language (docs/formats.md)."""

from __future__ import annotations

from typing import Any, Dict, Sequence, Tuple

from polyhost.errors import InvalidInput


def check_names(names: Sequence[str]) -> None:
    """InvalidInput when a name stands for two columns, or is not text that can be sent on."""
    joined = "".join(names)
    if len(set(names)) == len(names) and joined.isascii() and "\0" not in joined:
        return
    seen: Dict[str, int] = {}
    for position, name in enumerate(names):
        if name and name in seen:
            raise InvalidInput(
                f"the column {name!r} stands twice in the header, at {seen[name] + 1} and "
                f"{position + 1}: expected each name once. Rename or remove one of them."
            )
        seen[name] = position
        fault = fault_of(name)
        if fault:
            raise InvalidInput(
                f"the name of column {position + 1}, {name!r}, holds {fault}. Rename it."
            )


_seen: Dict[int, Tuple[str, ...]] = {}


def checked_names(names: Tuple[str, ...]) -> Tuple[str, ...]:
    """The same names once :func:`check_names` passes them.

    Names that come again with every request are one object, so that whoever looks them up need not
    compare hundreds of texts; one set of each width is remembered.
    """
    known = _seen.get(len(names))
    if known == names:
        return known
    check_names(names)
    if len(_seen) > _MOST_SEEN:
        _seen.clear()
    _seen[len(names)] = names
    return names


_MOST_SEEN = 64


def check_texts(name: str, cells: Sequence[Any]) -> None:
    """InvalidInput with row and column of a text cell that holds what is not text."""
    for i, cell in enumerate(cells):
        if type(cell) is str and ("\0" in cell or not cell.isascii()):
            fault = fault_of(cell)
            if fault:
                raise InvalidInput(
                    f"column {name!r}, row {i + 1}: the text {cell[:40]!r} holds {fault}. Send "
                    "text without it.",
                    column=name,
                    row=i + 1,
                )


def fault_of(text: str) -> str:
    """What a text holds that no text may; empty if nothing."""
    if "\0" in text:
        return "a NUL character"
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return "half of a surrogate pair, which stands for no character"
    return ""


def no_rows(names: Sequence[str]) -> InvalidInput:
    """The error for a table without rows."""
    shown = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
    return InvalidInput(
        f"the table has no rows: expected at least one; found its column names alone ({shown})."
    )
