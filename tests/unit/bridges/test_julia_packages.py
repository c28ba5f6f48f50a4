"""Packages of the model's project: those an artifact asks for, and MLJBase's part in a machine.

MLJ cannot be installed where these tests run. The packages here are stand-ins that offer the
functions of MLJBase which the bridge calls, as MLJBase 0.17 has them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.bodies import Column, bodies
from support.guest_process import GuestProcess

from polyhost.data.payload import Payload, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import SchemaMismatch
from polyhost.predictor import ColumnInfo, ModelSpec

pytestmark = pytest.mark.runtime("julia")

BUILTIN = Path(__file__).resolve().parents[2] / "models" / "builtin" / "julia"

MLJBASE = """
module MLJBase
abstract type Probabilistic end
abstract type Deterministic end
mutable struct Machine
    model
    cache
    fitresult
    report
    state::Int
    args::Tuple
    Machine(model, args...; cache) = (m = new(model, cache); m.state = 0; m.args = args; m)
end
mutable struct Source
    data
end
restore(filename, model, fitresult) = fitresult
restore!(mach::Machine) = (mach.state = 1; mach)
predict(mach::Machine, rows) =
    mach.state == 1 ? predict(mach.model, mach.fitresult, rows) : error("not trained")
predict_mean(mach::Machine, rows) = [only(values(d)) for d in predict(mach, rows)]
classes(y) = sort(collect(keys(first(y))))
pdf(distribution, level) = distribution[level]
end
"""
CATEGORICAL = """
module CategoricalArrays
struct CategoricalArray{T,V} <: AbstractVector{T}
    values::Vector{T}
    levels::Vector{V}
    ordered::Bool
end
Base.size(array::CategoricalArray) = size(array.values)
Base.getindex(array::CategoricalArray, i::Int) = array.values[i]
categorical(values; ordered = false) =
    CategoricalArray(values, sort(unique(skipmissing(values))), ordered)
levels(array::CategoricalArray) = array.levels
isordered(array::CategoricalArray) = array.ordered
levels!(array::CategoricalArray, levels) = (append!(empty!(array.levels), levels); array)
end
"""
TREES = """
module Trees
import MLJBase, CategoricalArrays
struct Grader <: MLJBase.Deterministic end
# Hundreds for the place of the level, tens for an order, and the columns' types or an error.
MLJBase.predict(::Grader, fitresult, rows) = [
    100.0 * place(rows.k, k) + 10 * CategoricalArrays.isordered(rows.k) + a + n
    for (k, a, n) in zip(rows.k, rows.a::Vector{Float64}, coalesce.(rows.n, 0)::Vector{Int64})
]
struct Pipeline <: MLJBase.Deterministic end
struct OneHotEncoderResult
    all_features::Vector{Symbol}
    fitted_levels_given_feature::Dict
end
MLJBase.predict(::Pipeline, network, rows) = MLJBase.predict(Grader(), 0, rows)
place(column, value) = ismissing(value) ? 9 :
    findfirst(isequal(value), CategoricalArrays.levels(column))
struct Classifier <: MLJBase.Probabilistic end
struct Voter <: MLJBase.Deterministic end
struct Spread <: MLJBase.Probabilistic end
share(fitresult, rows) = clamp.(rows.a .* fitresult, 0, 1)
MLJBase.predict(::Classifier, fitresult, rows) =
    [Dict("yes" => p, "no" => 1 - p) for p in share(fitresult, rows)]
MLJBase.predict(::Voter, fitresult, rows) = [p > 0.5 ? "yes" : "no" for p in share(fitresult, rows)]
MLJBase.predict(::Spread, fitresult, rows) = [(mean = p,) for p in share(fitresult, rows)]
end
"""
UUIDS = {
    "CategoricalArrays": "324d7699-5711-5eae-9e2f-1d82baa6b597",
    "MLJBase": "a7f614a8-145f-11e9-1d2a-a57a1082229d",
    "Trees": "11111111-2222-3333-4444-555555555555",
}
BINARY = Target(TargetType.BINARY, ("yes", "no"))
REGRESSION = Target(TargetType.REGRESSION)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Variables under which Julia finds the packages."""
    folder = tmp_path_factory.mktemp("packages")
    packages = (
        ("MLJBase", MLJBASE, ()),
        ("CategoricalArrays", CATEGORICAL, ()),
        ("Trees", TREES, ("MLJBase", "CategoricalArrays")),
    )
    for name, source, needs in packages:
        (folder / name / "src").mkdir(parents=True)
        (folder / name / "src" / f"{name}.jl").write_text(source)
        lines = [f'{need} = "{UUIDS[need]}"' for need in needs]
        deps = "\n".join(["[deps]", *lines, ""]) if needs else ""
        project = f'name = "{name}"\nuuid = "{UUIDS[name]}"\nversion = "0.1.0"\n{deps}'
        (folder / name / "Project.toml").write_text(project)
    return {
        "JULIA_LOAD_PATH": f"{folder}:@stdlib",
        "JULIA_DEPOT_PATH": f"{tmp_path_factory.mktemp('depot')}:",
    }


@pytest.fixture(scope="module")
def streams(environment, julia, tmp_path_factory):
    """Objects that another process serialized, by name."""
    out = tmp_path_factory.mktemp("streams")
    code = """
    using Trees, MLJBase, Serialization
    using CategoricalArrays: CategoricalArray
    cd(ARGS[1])
    serialize("Classifier", Trees.Classifier()); serialize("Voter", Trees.Voter())
    serialize("Spread", Trees.Spread()); serialize("fitresult", 0.25)
    mach = MLJBase.Machine(Trees.Voter(), cache = true); mach.fitresult = 0.25
    serialize("machine", mach)
    k = CategoricalArray(["low", "high"], ["low", "mid", "high"], true)
    X = (k = k, n = Union{Missing,Int}[1, missing], a = [0.5, 1.5], more = Any[1, "x"])
    graded = MLJBase.Machine(Trees.Grader(), MLJBase.Source(X), MLJBase.Source([1.0, 2.0]); cache = true)
    graded.fitresult = 0
    serialize("graded", graded)
    y = CategoricalArray(["yes", "no"], ["no", "yes"], false)
    voter = MLJBase.Machine(Trees.Voter(), MLJBase.Source((a = [1.0, 2.0],)), MLJBase.Source(y); cache = true)
    voter.fitresult = 0.25
    serialize("voter", voter)
    levels = CategoricalArray(["low", "mid", "high"], ["low", "mid", "high"], true)
    result = Trees.OneHotEncoderResult([:k, :n, :a], Dict(:k => levels))
    encoder = MLJBase.Machine(:encoder, MLJBase.Source(nothing); cache = true)
    encoder.fitresult = (features_to_keep = [:k, :n, :a], one_hot_encoder_fitresult = result)
    other = MLJBase.Machine(:model, (machine = encoder,); cache = true); other.fitresult = 1
    network = MLJBase.Machine(Trees.Pipeline(), cache = true)
    network.fitresult = (signature = Dict(:predict => [other]),)
    serialize("network", network)
    bare = MLJBase.Machine(Trees.Grader(), cache = true); bare.fitresult = 0
    serialize("bare", bare)
    """
    subprocess.run(
        [julia, "--startup-file=no", "-e", code, out], check=True, env={**os.environ, **environment}
    )
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture(scope="module")
def process(environment, tmp_path_factory):
    process = GuestProcess(tmp_path_factory.mktemp("mlj"), **environment)
    yield process
    process.close()


def container(objects):
    sys.path.insert(0, str(BUILTIN))
    try:
        import jlso_writer
    finally:
        sys.path.remove(str(BUILTIN))
    return jlso_writer.write(objects, julia="1.5.3")


def guest_of(process, folder, content, target):
    (folder / "model.jlso").write_bytes(content)
    guest = process.open(ModelSpec(folder, "julia", target, None, (Path("model.jlso"),)))
    guest.load_artifact(folder / "model.jlso")
    return guest


@pytest.mark.parametrize(
    ("model", "target", "names", "values"),
    [
        ("Classifier", BINARY, ("no", "yes"), [[0.75, 0.25], [0.25, 0.75]]),
        ("Voter", BINARY, ("yes", "no"), [[0.0, 1.0], [1.0, 0.0]]),
        ("Spread", REGRESSION, ("Predictions",), [[0.25], [0.75]]),
    ],
)
def test_model_and_fitresult_are_a_machine(
    process, streams, tmp_path, model, target, names, values
):
    objects = {"model": streams[model], "fitresult": streams["fitresult"]}
    guest = guest_of(process, tmp_path, container(objects), target)
    info = guest.describe()
    assert (info.framework, info.row_wise, info.predicts) == (f"MLJ {model}", True, True)
    for rows in (
        guest.read(Payload(b"a\n1\n3\n")),
        guest.wrap(Table(["a"], [np.array([1.0, 3.0])])),
    ):
        found = guest.predict(rows, guest.context())
        assert found.names == names
        assert np.column_stack(found.columns).tolist() == values


def test_a_machine_of_newer_mlj_is_restored(process, streams, tmp_path):
    guest = guest_of(process, tmp_path, streams["machine"], BINARY)
    found = guest.predict(guest.read(Payload(b"a\n3\n")), guest.context())
    assert (found.names, found.columns[0].tolist()) == (("yes", "no"), [1.0])


LEVELS = ("low", "mid", "high")
GRADED = [
    Column("k", "category", ["high", "low", None]),
    Column("n", "integer", [2, None, 3]),
    Column("a", "number", [0.25, 0.5, 1.0]),
]
ANSWERS = [312.25, 110.5, 914.0]


def model_of(process, folder, content, custom=None):
    (folder / "model.jlso").write_bytes(content)
    if custom is not None:
        (folder / "custom.jl").write_text(custom)
    file = None if custom is None else Path("custom.jl")
    return process.load(ModelSpec(folder, "julia", REGRESSION, file, (Path("model.jlso"),)))


def test_a_machine_says_its_columns_by_the_data_it_was_saved_with(process, streams, tmp_path):
    """Another order of levels in the rows, or a level that none of them has, changes nothing."""
    info = guest_of(process, tmp_path, streams["graded"], REGRESSION).describe()
    assert info.columns == (
        ColumnInfo("k", "category", levels=LEVELS, ordered=True),
        ColumnInfo("n", "integer"),
        ColumnInfo("a", "number"),
        ColumnInfo("more", "any"),
    )
    model = model_of(process, tmp_path, streams["graded"])
    more = Column("more", "text", ["x", "y", "z"])
    for body in bodies([*GRADED, more]):
        found = model.predictions(body.content_type, body.data)
        assert found == {"predictions": ANSWERS}, body.format
    with pytest.raises(SchemaMismatch, match=r"column 'k', row 1: .*'top'; it knows 'low'"):
        model.predictions("text/csv", b"k,n,a,more\ntop,1,1,x\n")


def test_a_pipeline_says_its_columns_by_the_encoder_at_its_start(process, streams, tmp_path):
    """The encoder knows the levels; of the others it knows the names, and CSV's reader types them."""
    info = guest_of(process, tmp_path, streams["network"], REGRESSION).describe()
    assert info.columns == (
        ColumnInfo("k", "category", levels=LEVELS, ordered=True),
        ColumnInfo("n", "any"),
        ColumnInfo("a", "any"),
    )
    rows = [Column("k", "category", ["high", None]), Column("n", "integer", [2, 3])]
    rows.append(Column("a", "number", [0.25, 1.5]))
    model = model_of(process, tmp_path, streams["network"])
    for body in bodies(rows):
        found = model.predictions(body.content_type, body.data)
        assert found == {"predictions": [312.25, 914.5]}, body.format


def test_a_method_of_schema_says_a_machines_columns(process, streams, tmp_path):
    custom = """
    using PolyHost
    schema(mach) = (a = :Continuous, k = PolyHost.Levels(["low", "mid", "high"]; ordered = true), n = :Count)
    """
    model = model_of(process, tmp_path, streams["bare"], custom)
    for body in bodies(GRADED):
        found = model.predictions(body.content_type, body.data)
        assert found == {"predictions": ANSWERS}, body.format


def test_a_machine_says_its_labels_by_the_data_it_was_saved_with(process, streams, tmp_path):
    info = guest_of(process, tmp_path, streams["voter"], BINARY).describe()
    assert (info.labels, info.target_type) == (("no", "yes"), "binary")
