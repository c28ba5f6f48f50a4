"""The tests' own package that extends polyhost: how it comes on the path, and models of its language."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from support.command import ROOT

PLUGINS = ROOT / "tests" / "plugins"
INSTALLED = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(PLUGINS)))}
"""What a process needs in its environment so that the package counts as installed there."""
METADATA = "name: m\ntype: inference\ntargetType: regression\n"


def fake_model(folder: Path, **script: object) -> Path:
    """A code dir of the scripted language: ``load="hangs"``, ``row_wise=True``."""
    return write(folder, {"model.fake_model": json.dumps(script)})


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """A regression model's code dir with these files."""
    folder.mkdir(parents=True)
    for name, text in {**files, "model-metadata.yaml": METADATA}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def rows(*orders: str) -> str:
    """A CSV body with a row for each order; ``a`` counts from 1."""
    return "".join(["a,order\n", *(f"{i + 1},{order}\n" for i, order in enumerate(orders))])
