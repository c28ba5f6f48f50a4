"""Variables that a process must have before this language starts in it."""

from __future__ import annotations


def environment() -> dict[str, str]:
    return {"POLYHOST_FAKE": "1"}
