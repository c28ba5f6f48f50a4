"""Every flavor that MLflow saves here: answered as MLflow answers it, with MLflow or without.

In an environment of its own with the libraries: ``make test-flavors``. What is found is compared with
``tests/specimens/mlflow/flavors.json``, from which the table of docs/mlflow.md is made;
``POLYHOST_RECORD=1`` writes it.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.clients import client_python
from support.command import ROOT

from flavors import ask, save
from flavors.table import FILE

pytestmark = pytest.mark.timeout(1800)

NATIVE, WITH_MLFLOW = "native", "with mlflow"


def run(script: Any, *arguments: object) -> Any:
    """What a script prints as JSON on its last line, run in the environment of the libraries."""
    command = [str(client_python("flavors")), script.__file__, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])


@pytest.fixture(scope="module")
def recorded() -> dict[str, str]:
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


@pytest.mark.parametrize("flavor", save.SAVERS)
def test_a_flavor_is_served(tmp_path: Path, recorded: dict[str, str], flavor: str) -> None:
    folder = tmp_path / flavor
    asked = run(save, folder, flavor)
    body = json.dumps(asked["body"])
    alone = run(ask, folder, body, "--without-mlflow")
    how = WITH_MLFLOW if "refused" in alone else NATIVE
    found = run(ask, folder, body) if how == WITH_MLFLOW else alone
    close(found["predictions"], asked["expected"])
    if os.environ.get("POLYHOST_RECORD"):
        recorded[flavor] = how
        FILE.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert recorded.get(flavor, how) == how


def close(found: Any, expected: Any) -> None:
    """The same values; numbers may differ in their last digits."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            close(found[key], expected[key])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    elif isinstance(expected, float) and isinstance(found, (int, float)):
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-7)
    else:
        assert found == expected
