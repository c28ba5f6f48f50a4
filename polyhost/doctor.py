"""What a bridge finds when it looks whether its runtime is usable here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``fix`` is the exact command that mends it, empty when ``ok``."""

    what: str
    ok: bool
    found: str = ""
    fix: str = ""
