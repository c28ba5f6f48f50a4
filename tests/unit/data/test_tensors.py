"""Named arrays as a model's input: as a table for guests that take no arrays."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression

from polyhost.data.payload import Tensors
from polyhost.data.target import Target, TargetType
from polyhost.errors import SchemaMismatch
from polyhost.pipeline.pipeline import Pipeline, open_predictor
from polyhost.predictor import ModelSpec

ROWS, GOAL = load_iris(return_X_y=True, as_frame=True)
MODEL = LinearRegression().fit(ROWS, GOAL)


@pytest.fixture
def predictor(tmp_path: Path) -> Pipeline:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(MODEL))
    spec = ModelSpec(tmp_path, "python", Target(TargetType.REGRESSION), artifacts=(path,))
    return open_predictor(spec)


def test_a_matrix_takes_the_models_own_names(predictor: Pipeline) -> None:
    scores = predictor.predict(Tensors({"": ROWS.to_numpy()}))
    assert np.array_equal(scores.predictions.columns[0], MODEL.predict(ROWS))


def test_named_vectors_are_columns_in_any_order(predictor: Pipeline) -> None:
    arrays = {name: ROWS[name].to_numpy() for name in reversed(ROWS.columns)}
    scores = predictor.predict(Tensors(arrays))
    assert np.allclose(scores.predictions.columns[0], MODEL.predict(ROWS), rtol=0, atol=1e-12)


def test_columns_of_a_named_matrix_are_numbered() -> None:
    table = Tensors({"x": np.ones((2, 2)), "y": np.zeros(2)}).to_table()
    assert table.names == ("x.0", "x.1", "y")


def test_what_cannot_be_rows_is_the_callers_mistake(predictor: Pipeline) -> None:
    for arrays in ({"image": np.ones((2, 3, 4))}, {"a": np.ones(2), "b": np.ones(3)}):
        with pytest.raises(SchemaMismatch, match="cannot be rows"):
            predictor.predict(Tensors(arrays))
