"""Drop-in images that were built before, named by POLYHOST_IMAGES=NAME,NAME (``make test-images``)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from containers import contexts
from containers.contexts import names, tag_of

__all__ = ["BUILT", "contexts", "tag_of"]

BUILT = os.environ.get("POLYHOST_IMAGES", "").replace(",", " ").split()
if unknown := set(BUILT) - set(names()):
    raise ValueError(f"POLYHOST_IMAGES: no environment {', '.join(sorted(unknown))}: {names()}")
