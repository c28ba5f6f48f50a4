"""What the zip file of a MOJO says of its model beside what H2O's own reader keeps."""

from __future__ import annotations

import json
import logging
import zipfile
from pathlib import Path
from typing import FrozenSet

logger = logging.getLogger(__name__)

_DETAILS = "experimental/modelDetails.json"
_LARGEST = 1 << 28
_TIME = "Time"


def time_columns(mojo: Path) -> FrozenSet[str]:
    """Names of the columns that were times in training; H2O's reader knows them as numbers.

    None where the file does not say, as those of H2O before 3.30 do not.
    """
    try:
        with zipfile.ZipFile(mojo) as archive:
            if _DETAILS not in archive.namelist() or archive.getinfo(_DETAILS).file_size > _LARGEST:
                return frozenset()
            output = json.loads(archive.read(_DETAILS))["output"]
            pairs = list(zip(output["names"], output["column_types"]))
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        logger.warning("the types of the columns of %s cannot be read: %r", mojo.name, error)
        return frozenset()
    return frozenset(name for name, kind in pairs if kind == _TIME)
