"""One model from plain values, as the admin API gets them, within what the operator allows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from polyhost.config.checks import check_model
from polyhost.config.kinds import NONE
from polyhost.config.layers import of_model, of_server
from polyhost.config.models import build_model
from polyhost.config.problems import Problems, nearest
from polyhost.config.reading import Document, Reader, Values
from polyhost.config.schema import MODEL, Field, Section
from polyhost.errors import SettingsError
from polyhost.settings import AdminSettings, ModelConfig, Setting, Source

PLACE = "settings"
"""Where the values are in a request; each message begins with it."""
BESIDE = ("path", "replicas", "version")
"""Settings that have a place of their own in a request."""


def load_model(
    name: str,
    folder: Path,
    settings: Mapping[str, Any],
    *,
    replicas: int,
    version: str,
    admin: AdminSettings,
    layers: Values,
) -> ModelConfig:
    """A model from settings by dotted name; SettingsError with every mistake in them.

    ``folder``: its code dir. ``layers``: the server's own settings, with what they say of every
    model; empty is all defaults.
    """
    problems = Problems()
    server = layers or of_server(Document(), {}, {}, problems)
    own = _read(folder, settings, admin, problems)
    own["path"] = _setting(str(folder))
    own["replicas"], own["version"] = _setting(replicas), _setting(version)
    values = of_model(own, server, {}, {}, alone=False)
    check_model(name, values, server, problems)
    _check_environment(own, admin, problems)
    problems.raise_if_any()
    hosted = build_model(name, values, folder, confined=True)
    check_workers(hosted.workers + hosted.spares, admin)
    return hosted


def check_workers(count: int, admin: AdminSettings) -> None:
    """SettingsError when one model would have more workers than the admin API may give it."""
    if count > admin.max_replicas:
        raise SettingsError(
            f"replicas: expected at most {admin.max_replicas} workers of one model, spares "
            f"included; found {count}. The operator's setting is admin.max_replicas."
        )


def _read(
    folder: Path, settings: Mapping[str, Any], admin: AdminSettings, problems: Problems
) -> Values:
    within = [Path(os.path.realpath(root)) for root in (*admin.roots, folder)]
    reader = Reader(PLACE, folder, problems, set(), within=within, lines=False)
    leaves = dict(MODEL.leaves())
    values: Values = {}
    for name, value in settings.items():
        found = _field(name, leaves)
        if name in BESIDE:
            problems.add(PLACE, f"{name} has its own place beside settings. Give it there.")
        elif found is None:
            known = [known for known in leaves if known not in BESIDE]
            problems.add(PLACE, f"unknown setting {name!r}.{nearest(name, known)}")
        elif isinstance(value, Mapping):
            problems.add(PLACE, f"{name}: expected {found[1].kind.expected}; found an object.")
        else:
            _read_one(reader, *found, value, values)
    return values


def _field(name: str, leaves: Mapping[str, Field]) -> tuple[str, Field] | None:
    """The setting of a dotted name, an entry of a map or the short form of a section included."""
    section = MODEL.get(name)
    if isinstance(section, Section):
        name = f"{name}.{section.short}"
    if name in leaves and leaves[name].many != "map":
        return name, leaves[name]
    top = name.partition(".")[0]
    if top in leaves and leaves[top].many == "map" and name != top:
        return name, leaves[top]
    return None


def _read_one(reader: Reader, name: str, part: Field, value: Any, into: Values) -> None:
    top, _, key = name.partition(".")
    if value is None and part.kind.expected.endswith(NONE):
        value = NONE
    if part.many != "map":
        reader.field(_node(value), part, name, into)
        return
    entry = SimpleNamespace(id="mapping", value=[(_node(key), _node(value))], start_mark=_MARK)
    reader.field(entry, part, top, into)


_MARK = SimpleNamespace(line=0)


def _node(value: Any) -> Any:
    """A value of JSON as the node that YAML would have of it."""
    if isinstance(value, list):
        items = [_node(item) for item in value]
        return SimpleNamespace(id="sequence", value=items, start_mark=_MARK)
    if isinstance(value, Mapping):
        return SimpleNamespace(id="mapping", value=[], start_mark=_MARK)
    if value is None:
        return SimpleNamespace(id="scalar", value="", style=None, start_mark=_MARK)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return SimpleNamespace(id="scalar", value=text, style='"', start_mark=_MARK)


def _setting(value: Any) -> Setting[Any]:
    return Setting(value, Source.FILE, PLACE)


def _check_environment(own: Values, admin: AdminSettings, problems: Problems) -> None:
    for name in own:
        top, _, variable = name.partition(".")
        if top == "environment" and not _is_allowed(variable, admin):
            allowed = ", ".join(admin.environment) or "none"
            problems.add(
                PLACE,
                f"environment: {variable!r} may not be set over the admin API; allowed: {allowed}. "
                "The operator's setting is admin.environment.",
            )


def _is_allowed(variable: str, admin: AdminSettings) -> bool:
    return any(
        variable.startswith(known[:-1]) if known.endswith("*") else variable == known
        for known in admin.environment
    )
