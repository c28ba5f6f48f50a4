"""What the tools do for each language beside Python: one module a language, found by its place here.

Set-up, test runner, formatters and what the wheel carries are in the module's ``LANGUAGE``; nothing
else in ``tools/`` names a language.
"""

from __future__ import annotations

import importlib
import pkgutil

from language import Language

__all__ = ["LANGUAGES"]


def _find() -> dict[str, Language]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found = [importlib.import_module(f"languages.{name}") for name in names]
    return {module.LANGUAGE.name: module.LANGUAGE for module in found}


LANGUAGES = _find()
"""By name, in alphabetical order."""
