"""A model that a registry has, under the settings of every model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyhost.config.checks import check_model
from polyhost.config.layers import of_model, of_server
from polyhost.config.models import build_model
from polyhost.config.problems import Problems
from polyhost.config.reading import Document, Values
from polyhost.settings import ModelConfig, Setting, Source


def followed_model(
    name: str, folder: Path, settings: Mapping[str, Any], layers: Values
) -> ModelConfig:
    """A model of a registry whose files are in ``folder``; CodeDirError or SettingsError when it
    cannot be served.

    ``settings``: what the registry says, by dotted name. ``layers``: the server's own settings,
    with what they say of every model.
    """
    problems = Problems()
    server = layers or of_server(Document(), {}, {}, problems)
    own = {key: _setting(value) for key, value in {**settings, "path": str(folder)}.items()}
    values = of_model(own, server, {}, {}, alone=False)
    check_model(name, values, server, problems)
    problems.raise_if_any()
    return build_model(name, values, folder, confined=True)


def _setting(value: Any) -> Setting[Any]:
    return Setting(value, Source.REGISTRY, Source.REGISTRY.value)
