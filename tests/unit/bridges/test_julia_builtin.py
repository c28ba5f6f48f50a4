"""Artifacts: what plain Julia predicts with the model it serialized, polyhost predicts too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.made_models import made_models

from polyhost.data.payload import Payload, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError, RuntimeUnavailable, SchemaMismatch
from polyhost.predictor import ModelSpec

pytestmark = pytest.mark.runtime("julia")

BUILTIN = Path(__file__).resolve().parents[2] / "models" / "builtin" / "julia"
TARGETS = {
    "regression": Target(TargetType.REGRESSION),
    "binary": Target(TargetType.BINARY, ("malignant", "benign")),
    "multiclass": Target(TargetType.MULTICLASS, ("virginica", "setosa", "versicolor")),
}


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    pytest.importorskip("sklearn")
    return made_models("julia", tmp_path_factory)


@pytest.fixture(scope="module")
def load(julia_process):
    def open_(code_dir, target, artifact="model.jlso", custom="custom.jl"):
        spec = ModelSpec(code_dir, "julia", target, custom and Path(custom), (Path(artifact),))
        guest = julia_process.open(spec)
        guest.load_artifact(code_dir / artifact)
        return guest

    return open_


@pytest.mark.parametrize("scenario", TARGETS)
def test_predictions_are_plain_julia_s(made, load, scenario):
    folder = made / scenario
    guest = load(folder / "model", TARGETS[scenario])
    found = guest.predict(guest.read(Payload((folder / "input.csv").read_bytes())), guest.context())
    expected = pd.read_csv(folder / "expected.csv")
    assert list(found.names) == list(expected.columns)
    np.testing.assert_array_equal(np.column_stack(found.columns), expected.to_numpy())


@pytest.mark.parametrize("rows", [1, 3])
def test_a_matrix_predicts_as_its_columns_do(made, load, rows):
    folder = made / "regression"
    guest = load(folder / "model", TARGETS["regression"])
    frame = pd.read_csv(folder / "input.csv").iloc[3 : 3 + rows]
    matrix = Table.from_matrix(list(frame.columns), frame.to_numpy())
    by_matrix = guest.predict(guest.wrap(matrix), guest.context())
    by_column = guest.predict(guest.wrap(Table.from_pandas(frame)), guest.context())
    np.testing.assert_array_equal(by_matrix.columns[0], by_column.columns[0])


def test_the_model_describes_itself(made, load):
    info = load(made / "multiclass" / "model", TARGETS["multiclass"]).describe()
    assert info.framework == "SoftmaxModel"
    assert info.labels == ("setosa", "versicolor", "virginica")
    assert len(info.columns) == 4
    assert info.columns[0].name == "sepal length (cm)"
    assert (info.schema_source, info.row_wise, info.matrix, info.predicts) == (
        *("model", True, False, True),
    )


def test_a_missing_column_is_named(made, load):
    guest = load(made / "regression" / "model", TARGETS["regression"])
    with pytest.raises(SchemaMismatch, match=r"columns that the data lacks: .*s6"):
        guest.predict(guest.read(Payload(b"age,sex\n1,2\n")), guest.context())


def serialized(tmp_path, julia, code, name="model.jlso"):
    """A plain stream of Julia's ``serialize``."""
    script = f"using Serialization; serialize(ARGS[1], begin {code} end)"
    subprocess.run([julia, "--startup-file=no", "-e", script, str(tmp_path / name)], check=True)
    return tmp_path


def test_a_plain_stream_goes_to_the_hooks_as_the_model(tmp_path, julia, load):
    folder = serialized(tmp_path, julia, 'Dict("slope" => 3.0)')
    (folder / "custom.jl").write_text('score(data, model) = (p = model["slope"] .* data.a,)')
    guest = load(folder, TARGETS["regression"])
    held = guest.hook("score", guest.read(Payload(b"a\n2\n")), guest.context())
    assert guest.unwrap(held).columns[0].tolist() == [6.0]


def test_several_objects_are_a_dictionary(tmp_path, julia, load):
    writer = importer("jlso_writer")
    one = serialized(tmp_path, julia, "2.0", "one") / "one"
    two = serialized(tmp_path, julia, "[1, 5]", "two") / "two"
    objects = {"scale": one.read_bytes(), "shift": two.read_bytes()}
    (tmp_path / "model.jlso").write_bytes(writer.write(objects, julia="1.5.3"))
    (tmp_path / "custom.jl").write_text(
        'score(data, model) = (p = model["scale"] .* data.a .+ model["shift"][2],)'
    )
    guest = load(tmp_path, TARGETS["regression"])
    held = guest.hook("score", guest.read(Payload(b"a\n2\n")), guest.context())
    assert guest.unwrap(held).columns[0].tolist() == [9.0]


def importer(name):
    sys.path.insert(0, str(BUILTIN))
    try:
        return __import__(name)
    finally:
        sys.path.remove(str(BUILTIN))


PACKAGE = """
module NotHere
struct Model
    slope::Float64
end
predict(model::Model, data) = model.slope .* data.a
end
"""


def test_a_package_that_the_project_lacks_is_named(tmp_path, julia, load):
    """The model's type is of a package which only the process that wrote it had."""
    source = tmp_path / "packages" / "NotHere" / "src"
    source.mkdir(parents=True)
    (source / "NotHere.jl").write_text(PACKAGE)
    code = "using NotHere, Serialization; serialize(ARGS[1], NotHere.Model(2.0))"
    subprocess.run(
        [julia, "--startup-file=no", "-e", code, str(tmp_path / "stream")],
        env={**os.environ, "JULIA_LOAD_PATH": f"{tmp_path / 'packages'}:@stdlib"}
        | {"JULIA_DEPOT_PATH": str(tmp_path / "depot") + ":"},
        check=True,
    )
    writer = importer("jlso_writer")
    (tmp_path / "model.jlso").write_bytes(
        writer.write(
            {"model": (tmp_path / "stream").read_bytes()},
            julia="1.5.3",
            manifest=b'[[NotHere]]\nuuid = "x"\nversion = "0.3.1"\n',
        )
    )
    with pytest.raises(RuntimeUnavailable, match=r"needs the Julia package NotHere v0\.3\.1"):
        load(tmp_path, TARGETS["regression"], custom=None)


def test_bson_objects_need_bson_jl(tmp_path, load):
    writer = importer("jlso_writer")
    content = writer.write({"model": writer.bson({"a": 1})}, julia="1.5.3", format="bson")
    (tmp_path / "model.jlso").write_bytes(content)
    with pytest.raises(RuntimeUnavailable, match="needs the Julia package BSON"):
        load(tmp_path, TARGETS["regression"], custom=None)


def test_a_stream_of_a_newer_julia_tells_both_versions(tmp_path, load):
    writer = importer("jlso_writer")
    content = writer.write({"model": b"7JL\x63 of a later protocol"}, julia="1.99.0")
    (tmp_path / "model.jlso").write_bytes(content)
    with pytest.raises(
        LoadError, match=r"(?s)model\.jlso cannot be loaded.*written by Julia 1\.99\.0"
    ):
        load(tmp_path, TARGETS["regression"], custom=None)


@pytest.mark.parametrize(
    ("answer", "names", "values"),
    [
        ("[0.25]", ("",), [[0.25]]),
        ("[0.75 0.25]", ("no", "yes"), [[0.75], [0.25]]),
        ('["yes"]', ("yes", "no"), [[1.0], [0.0]]),
        ("(no = [0.75], yes = [0.25])", ("no", "yes"), [[0.75], [0.25]]),
    ],
)
def test_forms_of_a_classifier_s_answer(opened, answer, names, values):
    target = Target(TargetType.BINARY, ("yes", "no"))
    guest = opened(f"load_model(d) = 1\npredict(model, data) = {answer}", target)
    found = guest.predict(guest.wrap(Table(["a"], [np.ones(1)])), guest.context())
    assert (found.names, [c.tolist() for c in found.columns]) == (names, values)


def test_a_model_that_nothing_predicts_for_says_so(opened):
    assert opened("load_model(d) = 1").describe().predicts is False
