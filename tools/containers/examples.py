"""A model for each drop-in image to start on, made by its language's own tool, with its predictions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from containers.contexts import tag_of
from containers.running import Containers, Wanted

from shell import ROOT, StepFailed

TESTS = ROOT / "tests"
MADE_WITHIN = 280.0


@dataclass(frozen=True)
class Example:
    """What makes a model: ``program`` in the image with ``file``, or without one, here.

    What a library pickles may not load with another version of it, so Python's and R's models are
    made in the image. ``variables``: what the model's files do not say of it.
    """

    file: str
    program: str = ""
    scenario: str = "regression"
    variables: Mapping[str, str] = field(default_factory=dict)


REGRESSION = {"TARGET_TYPE": "regression"}
PYTHON = Example("models/builtin/python/make.py", "python3")
R = Example("models/builtin/r/make.R", "Rscript")
JAVA = Example("models/builtin/java/make.py")
JULIA = Example("models/builtin/julia/make.py", variables=REGRESSION)
EXAMPLES = {
    "python3_sklearn": PYTHON,
    "python3_xgboost": Example("images/makers/make_xgboost.py", "python3"),
    "python3_onnx": Example("images/makers/make_onnx.py", "python3", variables=REGRESSION),
    "python3_pmml": Example("images/makers/make_pmml.py", "python3", variables=REGRESSION),
    "python3_keras": Example("images/makers/make_keras.py", "python3", variables=REGRESSION),
    "python3_pytorch": Example("images/makers/make_pytorch.py", "python3", variables=REGRESSION),
    "mlflow": Example("images/makers/make_mlflow.py", "python3", variables=REGRESSION),
    "java_codegen": JAVA,
    "r_lang": R,
    "julia_mlj": JULIA,
}
"""By environment: all but ``polyglot``, which serves what the others do."""
OF_POLYGLOT = {"python": PYTHON, "java": JAVA, "r": R, "julia": JULIA}


def make(example: Example, image: str, containers: Containers, folder: Path) -> None:
    """Write ``model/``, ``input.csv`` and ``expected.csv`` into a folder."""
    if not example.program:
        command = [sys.executable, str(TESTS / example.file), example.scenario, str(folder)]
        subprocess.run(command, check=True, timeout=MADE_WITHIN)
        return
    folder.chmod(0o777)
    file = TESTS / example.file
    wanted = Wanted(
        tag_of(image),
        (f"/make/{file.name}", example.scenario, "/made"),
        mounts=((file.parent, "/make"),),
        writable=((folder, "/made"),),
        entrypoint=(example.program,),
        user="0:0",
        port=0,
    )
    with containers.start(wanted) as running:
        if running.process.wait(MADE_WITHIN):
            raise StepFailed(f"{example.file} failed in {tag_of(image)}:\n{running.printed}")
