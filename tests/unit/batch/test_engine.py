from __future__ import annotations

import pyarrow as pa
import pytest

import polyhost
from polyhost.errors import InvalidOutput, SettingsError, WorkerCrashed

CUSTOM = """
import os
import pandas as pd

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    if (data["a"] == 666).any():
        os._exit(3)
    return pd.DataFrame({"Predictions": data["a"] * model, "note": "n" + data["name"].astype(str)})
"""


def batch(*numbers: float, name: str = "x") -> pa.RecordBatch:
    return pa.record_batch({"a": pa.array(numbers, pa.float64()), "name": [name] * len(numbers)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    (folder / "custom.py").write_text(CUSTOM, encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=[True, False], ids=["in_process", "workers"])
def model(request, folder):
    options = {"in_process": True} if request.param else {"workers": 2}
    with polyhost.load(folder, target_type="regression", **options) as loaded:
        yield loaded


def test_batches_are_answered_in_order(model):
    sent = [batch(i, i + 0.5) for i in range(20)]
    found = list(model.predict_batches(sent))
    assert [b.to_pydict() for b in found] == [
        {"Predictions": [2.0 * i, 2.0 * i + 1], "note": ["nx", "nx"]} for i in range(20)
    ]
    assert {b.schema for b in found} == {
        pa.schema({"Predictions": pa.float64(), "note": pa.string()})
    }


def test_columns_pass_through_as_they_came(model):
    sent = pa.record_batch(
        {"a": [1.0, 2.0], "name": ["p", "q"], "id": pa.array([7, None], pa.int16())}
    )
    found = model.predict_batch(sent, passthrough=["id", "name"])
    assert found == pa.record_batch(
        {
            "Predictions": [2.0, 4.0],
            "note": ["np", "nq"],
            "id": pa.array([7, None], pa.int16()),
            "name": ["p", "q"],
        }
    )


def test_a_name_that_cannot_pass_through_is_an_error(model):
    with pytest.raises(InvalidOutput, match=r"'id'.*lacks"):
        model.predict_batch(batch(1), passthrough=["id"])
    clash = pa.record_batch({"a": [1.0], "name": ["x"], "Predictions": [0.0]})
    with pytest.raises(InvalidOutput, match=r"'Predictions'.*have columns"):
        model.predict_batch(clash, passthrough=["Predictions"])


def test_only_record_batches_with_rows_are_taken(model):
    with pytest.raises(SettingsError, match=r"expected a pyarrow.RecordBatch"):
        model.predict_batch(batch(1).to_pandas())
    with pytest.raises(SettingsError, match=r"no rows"):
        model.predict_batch(batch())


def test_the_input_is_read_no_further_ahead_than_needed(folder):
    read = []

    def endless():
        while True:
            read.append(len(read))
            yield batch(len(read))

    with polyhost.load(folder, target_type="regression", workers=2) as model:
        answers = model.predict_batches(endless())
        for number in range(1, 10):
            assert next(answers)["Predictions"].to_pylist() == [2.0 * number]
            assert len(read) <= number + 4
        answers.close()


def test_an_error_comes_at_its_place_and_the_model_goes_on(folder):
    with polyhost.load(folder, target_type="regression", workers=2) as model:
        answers = model.predict_batches([batch(1), batch(666), batch(3)])
        assert next(answers)["Predictions"].to_pylist() == [2.0]
        with pytest.raises(WorkerCrashed):
            next(answers)
        assert model.predict_batch(batch(4))["Predictions"].to_pylist() == [8.0]


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 2, "in_process": True}])
def test_a_number_of_workers_that_cannot_be_is_refused(folder, options):
    with pytest.raises(SettingsError, match=r"workers"):
        polyhost.load(folder, target_type="regression", **options)
