"""Which of several sources a setting's value comes from.

A flag goes before an environment variable, that before the file, that before the default. For a
model's setting the file's ``defaults`` come between the file and the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyhost.config.problems import Problems, nearest
from polyhost.config.reading import Document, Values, mistake
from polyhost.config.schema import (
    FOR_EACH,
    MODEL,
    SCHEMA,
    VARIABLE_PREFIX,
    Field,
    variable_of,
)
from polyhost.settings import Setting, Source


def of_server(
    document: Document,
    environ: Mapping[str, str],
    given: Mapping[str, Any],
    problems: Problems,
) -> Values:
    """The server's own settings and ``defaults``. ``given``: values of flags by dotted name."""
    leaves = dict(SCHEMA.leaves())
    spoken = _from_environment(leaves, environ, problems)
    values: Values = {}
    for name, field in leaves.items():
        if field.many == "map":
            values.update(_entries(document.values, name))
        elif name in given:
            values[name] = Setting(given[name], Source.FLAG, field.flag)
        else:
            values[name] = spoken.get(name) or document.values.get(name) or Setting(field.empty)
    return values


def of_model(
    own: Values,
    server: Values,
    environ: Mapping[str, str],
    given: Mapping[str, Any],
    *,
    alone: bool,
) -> Values:
    """One model's settings: its own, and what the server's say of every model.

    ``alone``: there is no other, so that a variable such as TARGET_NAME speaks of it. Of several
    it is the last resort.
    """
    common = {name for part in FOR_EACH for name in _names(part)}
    values: Values = {}
    for name, field in MODEL.leaves():
        shared = f"defaults.{name}"
        if field.many == "map":
            values.update({**_entries(server, shared, name), **_entries(own, name)})
        elif f"models.{name}" in given:
            values[name] = Setting(given[f"models.{name}"], Source.FLAG, field.flag)
        elif alone and environ.get(field.variable):
            values[name] = Setting(environ[field.variable], Source.ENVIRONMENT, field.variable)
        else:
            last = Setting(environ.get(field.variable) or field.empty)
            values[name] = own.get(name) or (server[shared] if name in common else last)
    return values


def _names(part: Any) -> list[str]:
    if isinstance(part, Field):
        return [part.name]
    return [name for name, _ in part.leaves(f"{part.name}.")]


def _entries(values: Values, name: str, renamed: str = "") -> Values:
    """Entries of a map by dotted name."""
    start = len(name)
    return {
        (renamed or name) + key[start:]: setting
        for key, setting in values.items()
        if key.startswith(f"{name}.")
    }


def _from_environment(
    leaves: Mapping[str, Field], environ: Mapping[str, str], problems: Problems
) -> Values:
    by_variable = {variable_of(name): name for name, field in leaves.items() if field.many != "map"}
    for name, field in leaves.items():
        if field.variable and environ.get(field.variable):
            by_variable.setdefault(field.variable, name)
    values: Values = {}
    for variable in sorted(environ):
        if variable in by_variable:
            name = by_variable[variable]
            found = _parse(variable, environ[variable], leaves[name], problems)
            if found is not None:
                values[name] = found
        elif variable.startswith(VARIABLE_PREFIX):
            problems.add(
                variable,
                f"unknown setting in the environment: expected {VARIABLE_PREFIX} and the name of "
                f"a setting.{nearest(variable, by_variable)}",
            )
    return values


def _parse(variable: str, text: str, field: Field, problems: Problems) -> Setting[Any] | None:
    texts = text.split(",") if field.many == "list" else [text]
    try:
        values = tuple(field.kind.parse(one.strip(), Path.cwd()) for one in texts)
    except ValueError as error:
        problems.add(variable, mistake("its value", field, text, error))
        return None
    return Setting(values if field.many else values[0], Source.ENVIRONMENT, variable)
