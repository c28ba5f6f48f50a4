"""What a registry had when it was last read, for a start at which it cannot be reached."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping

from polyhost.files.replace import write_whole
from polyhost.settings import RegistrySettings

logger = logging.getLogger(__name__)

FILE = "registry.json"
"""Its name in the store."""


@dataclass(frozen=True)
class Known:
    """A model that was served: its name here, the registered version, and the digest in the store."""

    name: str
    registered: str
    version: int
    tags: Mapping[str, str]
    digest: str


def write(root: Path, settings: RegistrySettings, models: List[Known]) -> None:
    """Note what is served; a disk that is full is a warning."""
    document = {**_asked(settings), "models": [asdict(model) for model in models]}
    try:
        write_whole(root / FILE, json.dumps(document, indent=2).encode("utf-8"), mode=0o600)
    except OSError as error:
        logger.warning("cannot write %s: %s", root / FILE, error)


def read(root: Path, settings: RegistrySettings) -> List[Known]:
    """What was noted of this registry; nothing where it was another, or the file is damaged."""
    try:
        found: Any = json.loads((root / FILE).read_bytes())
        if {key: found[key] for key in _asked(settings)} != _asked(settings):
            return []
        return [Known(**model) for model in found["models"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        logger.warning("cannot read %s: %r. It is left out.", root / FILE, error)
        return []


def _asked(settings: RegistrySettings) -> Dict[str, Any]:
    return {"uri": settings.uri, "tag": settings.tag, "follow": settings.follow}
