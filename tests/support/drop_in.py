"""Drop-in images that were built before, named by POLYHOST_IMAGES=NAME,NAME (``make test-images``)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from containers import contexts
from containers.contexts import names, tag_of
from containers.examples import EXAMPLES, OF_POLYGLOT, Example, make
from containers.running import Containers, Running, Wanted, containers

__all__ = [
    "BUILT",
    "EXAMPLES",
    "OF_POLYGLOT",
    "Containers",
    "Example",
    "Running",
    "Wanted",
    "bill",
    "containers",
    "contexts",
    "make",
    "tag_of",
]

BUILT = os.environ.get("POLYHOST_IMAGES", "").replace(",", " ").split()
if unknown := set(BUILT) - set(names()):
    raise ValueError(f"POLYHOST_IMAGES: no environment {', '.join(sorted(unknown))}: {names()}")


def bill(name: str, contents: list[dict[str, str]]) -> str:
    """A bill of materials. CycloneDX is imported by the test that asks, not by all."""
    from containers.bill import bill

    return bill(name, contents)
