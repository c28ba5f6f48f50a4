"""Mistakes of a configuration: collected, so that all are told at once, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from polyhost.errors import PolyhostError, SettingsError


@dataclass(frozen=True)
class Problem:
    """One mistake. ``where`` is ``FILE:LINE``, a flag or a variable; ``error`` what told of it."""

    where: str
    text: str
    line: int = 0
    error: PolyhostError | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else self.text


class Problems:
    """What was found so far."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, where: str, text: str) -> None:
        """Note a mistake; ``text`` is a sentence or two."""
        self.found.append(Problem(where, text, _line(where)))

    def add_error(self, where: str, error: PolyhostError) -> None:
        """Note a mistake that an error tells of."""
        self.found.append(Problem(where, error.message, _line(where), error))

    def raise_if_any(self) -> None:
        """SettingsError with all of them; the error itself where it is the only one."""
        if not self.found:
            return
        if len(self.found) == 1 and self.found[0].error and not self.found[0].line:
            raise self.found[0].error
        found = sorted(self.found, key=lambda problem: problem.line)
        lines = [str(problem) for problem in found]
        if len(lines) > 1:
            lines.insert(0, f"{len(lines)} mistakes in the configuration:")
        raise SettingsError("\n".join(lines), problems=[str(problem) for problem in found])


def _line(where: str) -> int:
    line = where.rpartition(":")[2]
    return int(line) if line.isdigit() else 0


def nearest(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?``, or nothing when no known word is near."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f" Did you mean {close[0]!r}?" if close else ""
