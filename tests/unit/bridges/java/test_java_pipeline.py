"""Pipelines of Driverless AI, with a stand-in for their vendor's runtime."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError, SchemaMismatch
from polyhost.formats import csv_cells
from polyhost.pipeline.apply_schema import Schema
from polyhost.predictor import ColumnInfo, GuestInfo, ModelSpec

from . import pipeline_jar

pytestmark = pytest.mark.runtime("java")
LICENSED = {"DRIVERLESS_AI_LICENSE_KEY": "good"}
REGRESSION = Target(TargetType.REGRESSION)
BINARY = Target(TargetType.BINARY, ("yes", "no"))


@pytest.fixture(scope="module")
def runtime(tmp_path_factory) -> Path:
    return pipeline_jar.build(tmp_path_factory.mktemp("runtime"))


@pytest.fixture
def model(tmp_path, runtime):
    """Makes a code dir whose pipeline has these outputs, runtime and licence beside it."""

    def make(outputs="price", name="pipeline.mojo", licence="good"):
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / name).write_text(outputs, encoding="utf-8")
        if licence:
            (folder / "license.sig").write_text(licence, encoding="utf-8")
        shutil.copy(runtime, folder)
        return folder

    return make


@pytest.fixture
def loaded(java_process):
    def load(folder, target=REGRESSION, **options):
        names = sorted(path.name for path in folder.iterdir())
        artifacts = tuple(Path(name) for name in names if name.endswith((".jar", ".mojo")))
        guest = java_process.open(ModelSpec(folder, "java", target, None, artifacts, options))
        guest.load_artifact(next(path for path in artifacts if path.suffix == ".mojo"))
        return guest

    return load


def predict(guest, body):
    """As the pipeline has it: the model's own columns type the cells first."""
    table = Schema(guest.describe().columns).apply(csv_cells.read(body))
    return guest.predict(table, guest.context())


def test_one_output(loaded, model):
    guest = loaded(model())
    table = predict(guest, b"t,more,n\nab,x,1.5\nc,,\n,,7\n")
    assert table.names == ("Predictions",)
    assert str(table.columns[0].tolist()) == "[3.5, nan, 7.0]"
    assert guest.describe() == GuestInfo(
        framework="driverless ai",
        columns=(ColumnInfo("n", "number"), ColumnInfo("t", "text")),
        schema_source="model",
        row_wise=True,
        target_type="regression",
    )


@pytest.mark.parametrize(
    ("outputs", "labels", "names", "row"),
    [
        ("sold.no sold.yes", ("yes", "no"), ("no", "yes"), [0.5, 0.5]),
        # the last part of a name counts, then the longest label in it
        ("kind.ab kind.a kind_of", ("a", "ab", "kind"), ("ab", "a", "kind"), [0.5, 0.25, 0.25]),
    ],
)
def test_several_outputs_have_the_labels_in_their_names(loaded, model, outputs, labels, names, row):
    kind = TargetType.BINARY if len(labels) == 2 else TargetType.MULTICLASS
    table = predict(loaded(model(outputs), Target(kind, labels)), b"n,t\n1,a\n")
    assert (table.names, [column[0] for column in table.columns]) == (names, row)


def test_cells_of_every_kind_of_input(loaded, model):
    """Each as a text that the runtime reads: a whole number has no fraction, a time no zone."""
    guest = loaded(model("price\nmore"))
    kinds = [(column.name, column.kind) for column in guest.describe().columns]
    assert kinds[2:] == [("i", "integer"), ("b", "boolean"), ("d", "time")]
    body = b"n,t,i,b,d\n1,a,2.0,TRUE,2020-01-31T12:00:05Z\n1,a,,False,\n1,,3,,2020-01-31\n"
    assert predict(guest, body).columns[0].tolist() == [5122.0, 2.0, 31.0]


def test_bounds_of_prediction_intervals_on_request(loaded, model):
    guest = loaded(model(), extra_outputs=True)
    table = predict(guest, b"n,t\n1,a\n2,\n")
    assert table.names == ("Predictions", "price.lower", "price.upper")
    assert [column.tolist() for column in table.columns] == [[2.0, 2.0], [1.0, 1.0], [4.0, 4.0]]
    assert guest.describe().extras == ("price.lower", "price.upper")


def test_labels_without_a_target(loaded, model):
    guest = loaded(model("sold.at.no sold.at.yes"), infer_target="")
    info = guest.describe()
    assert (info.labels, info.target_type) == (("no", "yes"), "binary")


def test_an_output_without_a_label(loaded, model):
    with pytest.raises(LoadError, match=r"'sold\.maybe' whose name holds none of the class labels"):
        loaded(model("sold.no sold.maybe"), BINARY)


def test_a_classifier_for_a_regression(loaded, model):
    with pytest.raises(LoadError, match="expected a model for target type 'regression'"):
        loaded(model("a b"))


def test_rows_that_do_not_fit(loaded, model):
    guest = loaded(model())
    with pytest.raises(SchemaMismatch, match="column 'n', row 2: found 'abc'"):
        predict(guest, b"n,t\n1,x\nabc,x\n")
    with pytest.raises(SchemaMismatch, match="'t' are missing"):
        predict(guest, b"n\n1\n")


def test_a_licence_that_is_no_good(loaded, model):
    with pytest.raises(LoadError) as raised:
        loaded(model(licence="bad"))
    assert raised.value.message == (
        "pipeline.mojo cannot be loaded: LicenseException: no licence. Give a licence: in "
        "license.sig beside the pipeline, or by DRIVERLESS_AI_LICENSE_FILE or "
        "DRIVERLESS_AI_LICENSE_KEY."
    )


def test_without_the_runtime(loaded, model):
    folder = model()
    (folder / "mojo2-runtime.jar").unlink()
    with pytest.raises(LoadError, match=r"found no jar\. Put mojo2-runtime\.jar"):
        loaded(folder)


def test_another_name(loaded, model):
    with pytest.raises(LoadError, match=r"must be called pipeline\.mojo; found prices\.mojo"):
        loaded(model(name="prices.mojo"))


def test_over_http_with_the_runtime_elsewhere(serve, model, runtime):
    folder = model(licence="")
    (folder / "mojo2-runtime.jar").unlink()
    env = {**LICENSED, "DRUM_JAVA_CUSTOM_CLASS_PATH": str(runtime)}
    kind = ("--target-type", "regression")
    server = serve("-cd", folder, *kind, command="server", env=env)
    assert server.post("/predict/", "n,t\n1.5,ab\n").json() == {"predictions": [3.5]}
    body = {"dataframe_records": [{"n": 2, "t": None}]}
    assert server.client.post("/predict/", json=body).json() == {"predictions": [2.0]}
    assert server.post("/predict/", "n,t\nabc,x\n").status_code == 422
