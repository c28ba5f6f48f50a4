"""Code dirs around one artifact, opened; and the reasons for what cannot be tested here."""

from __future__ import annotations

import importlib
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from polyhost.data.payload import Payload
from polyhost.data.target import Target
from polyhost.pipeline.pipeline import Pipeline, open_predictor
from polyhost.predictor import ModelSpec


class Opened:
    """A model that was opened, and what it predicts for a frame sent as CSV."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.info = pipeline.info.guest
        self.batchable = pipeline.info.batchable
        self.pipeline = pipeline

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        body = frame.to_csv(index=False).encode()
        return self.pipeline.predict(Payload(body, "text/csv")).predictions.to_pandas()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """``opened(target, "model.pkl", model)``; bytes are written as they are, a path is a file
    that is in the code dir already."""
    pipelines = []

    def open_with(target: Target, name: str, model: Any = None) -> Opened:
        if model is not None:
            content = model if isinstance(model, bytes) else pickle.dumps(model)
            (tmp_path / name).write_bytes(content)
        pipelines.append(
            open_predictor(ModelSpec(tmp_path, "python", target, artifacts=(Path(name),)))
        )
        return Opened(pipelines[-1])

    yield open_with
    for pipeline in pipelines:
        pipeline.close()


def library(module: str) -> Any:
    """A library of the test extra: skips where it is missing, fails there when CI is set."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        reason = f"{module} is not installed: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason, allow_module_level=True)


@pytest.fixture(scope="session")
def need() -> Callable[[str], Any]:
    return library
