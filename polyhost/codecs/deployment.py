"""Answers in the shape of a deployment: one object a row, as ``--deployment-config`` asks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from polyhost.codecs.predictions import cells, listed
from polyhost.data.payload import Scores
from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidInput, InvalidOutput, SettingsError
from polyhost.formats import json


@lru_cache(maxsize=8)
def load(path: str) -> Mapping[str, Any]:
    """The ``target`` object of a deployment config; SettingsError when the file has none."""
    try:
        config = json.loads(Path(path).read_bytes())
    except (OSError, InvalidInput) as error:
        raise SettingsError(f"the deployment config {path} cannot be read: {error}") from error
    target = config.get("target") if isinstance(config, dict) else None
    if not isinstance(target, dict):
        raise SettingsError(
            f"the deployment config {path} has no target: expected a JSON object with a 'target' "
            "object in it. Add name, type, class_mapping and prediction_threshold there."
        )
    return target


def encode(scores: Scores, target: Target, config: str) -> bytes:
    """The body ``{"data": [row, ...]}``; ``config`` is the path of the deployment config."""
    settings = load(config)
    shape = _SHAPES.get(target.type, _value)
    rows = [shape(value, settings, target) for value in listed(scores.predictions, target)]
    for i, row in enumerate(rows):
        row["rowId"] = i
    if scores.extra is not None:
        columns = [cells(column, name) for name, column in scores.extra]
        for row, values in zip(rows, zip(*columns)):
            row["extraModelOutput"] = dict(zip(scores.extra.names, values))
    return json.dumps({"data": rows})


Row = Dict[str, Any]


def _value(value: Any, settings: Mapping[str, Any], target: Target) -> Row:
    name = "Anomaly Score" if target.type is TargetType.ANOMALY else settings.get("name")
    return {"prediction": value, "predictionValues": [{"label": name, "value": value}]}


def _binary(row: Mapping[str, float], settings: Mapping[str, Any], target: Target) -> Row:
    classes = _classes(settings, target)
    negative, positive = classes if settings.get("class_mapping") else reversed(classes)
    threshold = settings.get("prediction_threshold")
    threshold = 0.5 if threshold is None else threshold
    value = _probability(row, positive)
    return {
        "prediction": positive if value > threshold else negative,
        "predictionThreshold": threshold,
        "predictionValues": [
            {"label": positive, "value": value},
            {"label": negative, "value": 1 - value},
        ],
    }


def _multiclass(row: Mapping[str, float], settings: Mapping[str, Any], target: Target) -> Row:
    values = _values(row, settings, target)
    best = max(values, key=lambda item: item["value"])
    return {"prediction": best["label"], "predictionValues": values}


def _multilabel(row: Mapping[str, float], settings: Mapping[str, Any], target: Target) -> Row:
    values = _values(row, settings, target)
    threshold = settings.get("prediction_threshold")
    threshold = 0.5 if threshold is None else threshold
    return {
        "prediction": [item["label"] for item in values if item["value"] > threshold],
        "predictionThreshold": threshold,
        "predictionValues": values,
    }


def _values(
    row: Mapping[str, float], settings: Mapping[str, Any], target: Target
) -> List[Dict[str, Any]]:
    classes = _classes(settings, target)
    return [{"label": label, "value": _probability(row, label)} for label in classes]


def _classes(settings: Mapping[str, Any], target: Target) -> Sequence[str]:
    mapping = settings.get("class_mapping")
    if not mapping:
        return target.labels
    return [str(label) for label, _ in sorted(mapping, key=lambda pair: int(pair[1]))]


def _probability(row: Mapping[str, float], label: str) -> float:
    try:
        return row[label]
    except KeyError:
        raise InvalidOutput(
            f"the deployment config's class {label!r} is none of the model's: expected one of "
            f"{', '.join(map(repr, row))}. Fix class_mapping in the deployment config.",
            expected=list(row),
            found=label,
        ) from None


_SHAPES = {
    TargetType.BINARY: _binary,
    TargetType.MULTICLASS: _multiclass,
    TargetType.MULTILABEL: _multilabel,
}
