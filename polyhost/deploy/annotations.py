"""What a registry's tags say of a model's inputs and outputs, joined with the model's signature.

The tags are Datagrok's: ``datagrok-inputs-0-name``, ``datagrok-outputs-0-semtype`` and so on. A tag
comes before the signature; one that cannot be read is a warning, and never keeps a model away.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from polyhost.data import signature as signatures
from polyhost.errors import PolyhostError

logger = logging.getLogger(__name__)

MOST = 10_000
"""Inputs or outputs that tags may speak of where the model has no signature."""
_TAG = re.compile(r"datagrok-(inputs|outputs)-([0-9]{1,9})-(name|semtype)")
_MEANT = re.compile(r"datagrok-(inputs|outputs)\b")

Entry = Dict[str, Any]


def annotate(
    registered: str, version: int, tags: Mapping[str, str], signature: Optional[Mapping[str, Any]]
) -> Dict[str, Any]:
    """``registry`` (name and version), and ``inputs`` and ``outputs``: each with what is known of its
    ``name``, ``type`` and ``semtype``. ``column`` is the model's own name, where a tag gives another."""
    found = _parsed(signature)
    inputs = _entries(found.columns or found.tensors)
    outputs = _entries(found.output_columns or found.output_tensors)
    known = {"inputs": inputs, "outputs": outputs}
    most = {side: len(entries) or MOST for side, entries in known.items()}
    for tag, value in sorted(tags.items()):
        match = _TAG.fullmatch(tag)
        if match is not None and int(match.group(2)) < most[match.group(1)]:
            entries = known[match.group(1)]
            index = int(match.group(2))
            entries.extend({} for _ in range(len(entries), index + 1))
            _say(entries[index], match.group(3), value)
        elif _MEANT.match(tag):
            logger.warning(
                "registered model %r: the tag %r is ignored: expected datagrok-inputs-INDEX-name (or "
                "outputs, semtype), and an index from 0 to %d.",
                registered,
                tag,
                most["outputs" if "outputs" in tag else "inputs"] - 1,
            )
    return {"registry": {"name": registered, "version": version}, **known}


def _say(entry: Entry, key: str, value: str) -> None:
    """Note what a tag says; the name that the model itself takes stays known, as ``column``."""
    if key == "name" and entry.get("name", value) != value:
        entry["column"] = entry["name"]
    entry[key] = value


def _parsed(signature: Optional[Mapping[str, Any]]) -> signatures.Signature:
    try:
        return signatures.parse(signature) or signatures.Signature()
    except PolyhostError:
        return signatures.Signature()  # reported where the model is loaded


Spec = Union[signatures.ColumnSpec, signatures.TensorSpec]


def _entries(specs: Optional[Sequence[Spec]]) -> List[Entry]:
    found: List[Entry] = []
    for spec in specs or ():
        entry: Entry = {} if spec.name is None else {"name": spec.name}
        if isinstance(spec, signatures.TensorSpec):
            entry.update(type=str(spec.dtype), shape=list(spec.shape))
        else:
            entry["type"] = str(spec.type)
        found.append(entry)
    return found
