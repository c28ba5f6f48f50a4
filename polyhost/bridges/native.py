"""Where the native halves are: in the wheel beside this file, or in a checkout's ``runtimes``."""

from __future__ import annotations

from pathlib import Path
from typing import List

from polyhost.errors import RuntimeUnavailable

_PACKAGE = Path(__file__).resolve().parents[1]
_WHEEL = _PACKAGE / "_runtimes"
_CHECKOUT = _PACKAGE.parent / "runtimes"


def places(language: str) -> List[Path]:
    """Where a language's half may lie, the wheel's first."""
    return [_WHEEL / language, _CHECKOUT / language]


def folder(language: str) -> Path:
    """Where it lies; RuntimeUnavailable when it is in neither place."""
    found = next((place for place in places(language) if place.is_dir()), None)
    if found is not None:
        return found
    raise RuntimeUnavailable(
        f"the {language} half of polyhost is missing: expected "
        f"{' or '.join(map(str, places(language)))}. The installation is incomplete: install "
        "polyhost again.",
        language=language,
    )
