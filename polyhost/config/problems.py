"""Mistakes of a configuration: collected, so that all are reported at once, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from polyhost.errors import PolyhostError, SettingsError


@dataclass(frozen=True)
class Problem:
    """One mistake. ``where`` is ``FILE:LINE``, a flag or a variable; ``error`` the one that reported
    it; ``models``: names of those that it is a mistake of, where the text does not say so."""

    where: str
    text: str
    line: int = 0
    error: PolyhostError | None = None
    models: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.where}: {self.named}" if self.where else self.named

    @property
    def named(self) -> str:
        """The text, after the models that it is about."""
        if not self.models:
            return self.text
        word = "model" if len(self.models) == 1 else "models"
        return f"{word} {', '.join(map(repr, self.models))}: {self.text}"


class Problems:
    """What was found so far."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, where: str, text: str) -> None:
        """Note a mistake; ``text`` is a sentence or two."""
        self.found.append(Problem(where, text, _line(where)))

    def add_error(self, where: str, error: PolyhostError, model: str = "") -> None:
        """Note a mistake that an error reports, of a model where one is named."""
        models = (model,) if model else ()
        self.found.append(Problem(where, error.message, _line(where), error, models))

    def raise_if_any(self) -> None:
        """SettingsError with all of them; an error of the same class where it is the only one."""
        found = _merged(sorted(self.found, key=lambda problem: problem.line))
        if not found:
            return
        if len(found) == 1 and found[0].error and not found[0].line:
            error = found[0].error
            raise type(error)(found[0].named, **error.facts) from error
        lines = [str(problem) for problem in found]
        if len(lines) > 1:
            lines.insert(0, f"{len(lines)} mistakes in the configuration:")
        raise SettingsError("\n".join(lines), problems=[str(problem) for problem in found])


def _merged(found: list[Problem]) -> list[Problem]:
    """The same mistake of several models is said once."""
    merged: dict[object, Problem] = {}
    for problem in found:
        key = problem.text if problem.models else problem
        first = merged.get(key)
        if first is None:
            merged[key] = problem
        else:
            where = ", ".join(filter(None, (first.where, problem.where)))
            merged[key] = replace(first, where=where, models=first.models + problem.models)
    return list(merged.values())


def _line(where: str) -> int:
    line = where.rpartition(":")[2]
    return int(line) if line.isdigit() else 0


def nearest(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?``, or nothing when no known word is near."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f" Did you mean {close[0]!r}?" if close else ""
