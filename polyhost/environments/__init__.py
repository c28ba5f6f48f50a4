"""Python environments of models: built from their requirements, cached by content, shared."""

from __future__ import annotations

from polyhost.environments.cache import MANAGERS, Environment, Environments, default_root
from polyhost.environments.recipe import Recipe

__all__ = ["MANAGERS", "Environment", "Environments", "Recipe", "default_root"]
