"""Plain-data forms of what host and worker exchange about a model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Mapping

from polyhost.data.target import Target, TargetType
from polyhost.predictor import ColumnInfo, GuestInfo, ModelInfo, ModelSpec


def spec_to_wire(spec: ModelSpec) -> Dict[str, Any]:
    """What INIT says: the model to load."""
    return {
        "code_dir": str(spec.code_dir),
        "language": spec.language,
        "target": _target_to_wire(spec.target),
        "custom_file": None if spec.custom_file is None else str(spec.custom_file),
        "artifacts": [str(path) for path in spec.artifacts],
        "options": dict(spec.options),
    }


def spec_from_wire(wire: Mapping[str, Any]) -> ModelSpec:
    """The model that INIT names; KeyError or TypeError on anything else."""
    return ModelSpec(
        code_dir=Path(wire["code_dir"]),
        language=wire["language"],
        target=_target_from_wire(wire["target"]),
        custom_file=None if wire["custom_file"] is None else Path(wire["custom_file"]),
        artifacts=tuple(Path(path) for path in wire["artifacts"]),
        options=wire["options"],
    )


def info_to_wire(info: ModelInfo) -> Dict[str, Any]:
    """What READY says: the model that was loaded."""
    wire = asdict(info)
    wire["target"] = _target_to_wire(info.target)
    return wire


def info_from_wire(wire: Mapping[str, Any]) -> ModelInfo:
    """The model that READY describes."""
    guest = dict(wire["guest"])
    guest["labels"] = tuple(guest["labels"])
    guest["extras"] = tuple(guest.get("extras", ()))
    guest["tensors"] = tuple((n, kind, tuple(shape)) for n, kind, shape in guest.get("tensors", ()))
    guest["columns"] = tuple(
        ColumnInfo(**{**column, "levels": tuple(column["levels"])}) for column in guest["columns"]
    )
    return ModelInfo(
        language=wire["language"],
        target=_target_from_wire(wire["target"]),
        hooks=tuple(wire["hooks"]),
        guest=GuestInfo(**guest),
        batchable=wire["batchable"],
        threads=wire["threads"],
        formats=tuple(wire.get("formats", ())),
        typed=bool(wire.get("typed", False)),
    )


def calls_at_once(wanted: int, threads: int) -> int:
    """Calls that a worker runs at once: as many as wanted, and as its guest takes (0: any)."""
    return min(wanted, threads or wanted)


def _target_to_wire(target: Target) -> Dict[str, Any]:
    return {"type": target.type.value, "labels": list(target.labels), "name": target.name}


def _target_from_wire(wire: Mapping[str, Any]) -> Target:
    return Target(TargetType(wire["type"]), tuple(wire["labels"]), wire["name"])
