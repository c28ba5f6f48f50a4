"""``model-metadata.yaml``: read strictly, so that a typing error is found at load.

The file is DRUM's. Every scalar is text, labels like ``1`` and ``yes`` included; anchors, tags,
repeated keys and unknown keys are refused, with the line. Unlike there, ``[a, b]`` is a list, and
``targetType`` is the only key that has to be there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from polyhost.code_dir import hyperparameters, type_schema
from polyhost.code_dir.strict_yaml import (
    ANY,
    LIST_OF_ANY,
    LIST_OF_TEXT,
    REQUIRED,
    TEXT,
    NodeKind,
    read_strictly,
)
from polyhost.errors import SettingsError

FILE_NAME = "model-metadata.yaml"
MOST_BYTES = 4 << 20
"""Of a metadata file, and of a file of labels: the host reads both."""
_REQUIREMENTS = NodeKind(
    "list",
    items=NodeKind(
        "map",
        required=True,
        keys={"field": REQUIRED, "condition": REQUIRED, "value": NodeKind("any", required=True)},
    ),
)

SCHEMA = NodeKind(
    "map",
    keys={
        "name": TEXT,
        "type": TEXT,
        "targetType": REQUIRED,
        "environmentID": TEXT,
        "modelID": TEXT,
        "description": TEXT,
        "majorVersion": NodeKind("bool"),
        "validation": NodeKind("map", keys={"input": REQUIRED, "targetName": TEXT}),
        "inferenceModel": NodeKind(
            "map",
            keys={
                "targetName": TEXT,
                "positiveClassLabel": TEXT,
                "negativeClassLabel": TEXT,
                "classLabels": LIST_OF_TEXT,
                "classLabelsFile": TEXT,
                "predictionThreshold": NodeKind("int"),
            },
        ),
        "trainingModel": NodeKind("map", keys={"trainOnProject": TEXT}),
        "hyperparameters": LIST_OF_ANY,
        "typeSchema": NodeKind(
            "map",
            keys={type_schema.INPUT: _REQUIREMENTS, type_schema.OUTPUT: _REQUIREMENTS},
        ),
        "inputSchema": NodeKind(
            "map",
            keys={
                "title": TEXT,
                "type": NodeKind(required=True, one_of=("object",)),
                "properties": NodeKind("any", required=True),
                "required": LIST_OF_TEXT,
            },
        ),
        "customPredictor": ANY,
        "runtimeParameterDefinitions": ANY,
        "userCredentialSpecifications": NodeKind(
            "list",
            items=NodeKind("map", keys={"key": REQUIRED, "valueFrom": REQUIRED, "reminder": TEXT}),
        ),
        "lazyLoading": ANY,
    },
)


@dataclass(frozen=True)
class Metadata:
    """A metadata file that was read and found right.

    ``confined``: it may name files of its own folder only.
    """

    path: Path
    document: Mapping[str, Any]
    confined: bool = False

    @property
    def target_type(self) -> str:
        """As the file spells it; not checked yet."""
        return str(self.document["targetType"])

    @property
    def is_inference(self) -> bool:
        """True for a model that predicts, not one to be trained; the default."""
        return bool(self.document.get("type", "inference") == "inference")

    @property
    def inference_model(self) -> Mapping[str, Any]:
        """What the file says under ``inferenceModel``; empty when nothing."""
        found: Mapping[str, Any] = self.document.get("inferenceModel", {})
        return found

    @property
    def target_name(self) -> Optional[str]:
        """Name of the target, or None."""
        return self.inference_model.get("targetName") or None

    def default_parameters(self) -> Dict[str, hyperparameters.Value]:
        """Return the parameters of ``fit`` that were not set."""
        return hyperparameters.defaults(self.document.get("hyperparameters", ()))

    def binary_labels(self) -> Tuple[str, ...]:
        """``(positive, negative)``; empty when the file has neither."""
        keys = ("positiveClassLabel", "negativeClassLabel")
        missing = [key for key in keys if key not in self.inference_model]
        if len(missing) == 2:
            return ()
        if missing:
            raise self._wrong(
                f"a binary model needs {' and '.join(keys)} under inferenceModel; "
                f"missing: {', '.join(missing)}"
            )
        return tuple(str(self.inference_model[key]) for key in keys)

    def class_labels(self) -> Tuple[str, ...]:
        """Labels in the file's order; empty when the file has none."""
        listed = self.inference_model.get("classLabels")
        file = self.inference_model.get("classLabelsFile")
        if listed is None and file is None:
            return ()
        if listed is not None and file is not None:
            raise self._wrong(
                f"a {self.target_type} model needs exactly one of classLabels and "
                "classLabelsFile under inferenceModel; found both"
            )
        return tuple(listed) if listed is not None else self._labels_of(str(file))

    def _labels_of(self, name: str) -> Tuple[str, ...]:
        """Labels in a file; a relative name is looked up where we run, then in the code dir."""
        folder = self.path.parent
        if self.confined:
            real, root = os.path.realpath(folder / name), os.path.realpath(folder)
            if os.path.commonpath((real, root)) != root:
                raise self._wrong(f"classLabelsFile {name!r} leads out of the model's folder")
            return read_labels(Path(real))
        places = [Path(name), folder / name]
        for place in places:
            if place.is_file():
                return read_labels(place)
        raise self._wrong(f"no classLabelsFile {name!r}: looked for {places[0]} and {places[1]}")

    def _wrong(self, text: str) -> SettingsError:
        return SettingsError(f"{self.path}: {text}.", path=str(self.path))


def read_labels(path: Path) -> Tuple[str, ...]:
    """Labels of a class labels file: one a line, blank lines dropped."""
    try:
        lines = _text(path).split("\n")
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read the class labels file {path}: {error}.") from error
    return tuple(line.rstrip("\r") for line in lines if line.strip())


def _text(path: Path) -> str:
    """The text of a file; ValueError when it is too large, or not UTF-8."""
    with open(path, "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"expected at most {MOST_BYTES} bytes")
    return data.decode("utf-8-sig")


def read(code_dir: Path, *, confined: bool = False) -> Optional[Metadata]:
    """The metadata of a code dir; None when it has none."""
    path = code_dir / FILE_NAME
    if not path.is_file():
        return None
    try:
        text = _text(path)
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read {path}: {error}.", path=str(path)) from error
    found = Metadata(path, read_strictly(text, SCHEMA, path), confined)
    try:
        type_schema.parse(found.document.get("typeSchema"))
        found.default_parameters()
    except SettingsError as error:
        raise SettingsError(f"{path}: {error.message}", path=str(path)) from error
    return found
