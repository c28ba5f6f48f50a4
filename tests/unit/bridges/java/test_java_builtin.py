"""The artifacts a Java model may be, against the predictions of the tool that made them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from polyhost.bridges.java import tables
from polyhost.bridges.java.h2o import doubles
from polyhost.data.payload import Dictionary, Payload, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError, SchemaMismatch
from polyhost.formats import csv_cells
from polyhost.pipeline.apply_schema import Schema
from polyhost.predictor import ColumnInfo, GuestInfo, ModelSpec

from . import scoring_jar

pytestmark = pytest.mark.runtime("java")

TARGETS = {
    "regression": Target(TargetType.REGRESSION),
    "binary": Target(TargetType.BINARY, ("malignant", "benign")),
    "multiclass": Target(TargetType.MULTICLASS, ("setosa", "versicolor", "virginica")),
    "anomaly": Target(TargetType.ANOMALY),
}
H2O = (
    "regression",
    "regression_pojo",
    "regression_drf",
    "regression_words",
    "regression_offset",
    "regression_encoded",
    "regression_deep",
    "binary",
    "binary_pojo",
    "binary_glm",
    "binary_xgboost",
    "multiclass",
    "multiclass_pojo",
    "anomaly",
)


@pytest.fixture(scope="module")
def loaded(java_process):
    """``loaded(folder, target)``: the model of a folder, by its artifacts."""

    def load(folder, target, **options):
        artifacts = tuple(Path(path.name) for path in sorted(folder.iterdir()) if path.is_file())
        guest = java_process.open(ModelSpec(folder, "java", target, None, artifacts, options))
        guest.load_artifact(artifacts[0])
        return guest

    return load


@pytest.fixture
def h2o(made, loaded):
    def load(scenario, **options):
        target = TARGETS[scenario.partition("_")[0]]
        return loaded(made / scenario / "model", target, **options)

    return load


def predict(guest, data):
    """As the pipeline has it: the model's own columns type the cells first."""
    columns = guest.describe().columns
    table = csv_cells.read(data) if isinstance(data, bytes) else data
    return guest.predict(Schema(columns).apply(table) if columns else table, guest.context())


def expected(folder):
    with (folder / "expected.csv").open(newline="") as file:
        names, *rows = csv.reader(file)
    return tuple(names), np.array([[float(cell or "nan") for cell in row] for row in rows])


def texts(body):
    """The cells of a CSV as they stand there."""
    names, *rows = csv.reader(body.decode().splitlines())
    return Table(names, [np.array(column, dtype=object) for column in zip(*rows, strict=True)])


@pytest.mark.parametrize("scenario", H2O)
def test_h2o_predicts_as_h2o(made, h2o, scenario):
    guest = h2o(scenario)
    names, values = expected(made / scenario)
    body = (made / scenario / "input.csv").read_bytes()
    table = predict(guest, body)
    assert table.names == names
    assert np.array_equal(
        table.matrix if table.matrix is not None else _matrix(table), values, equal_nan=True
    )


@pytest.mark.parametrize("scenario", H2O)
def test_many_rows_of_a_large_file(made, h2o, scenario):
    header, rows = (made / scenario / "input.csv").read_bytes().split(b"\n", 1)
    _, values = expected(made / scenario)
    repeats = 20_000 // len(values)
    table = predict(h2o(scenario, threads=2), header + b"\n" + rows * repeats)
    assert np.array_equal(_matrix(table), np.tile(values, (repeats, 1)), equal_nan=True)


@pytest.mark.parametrize("scenario", ["regression", "regression_words", "regression_encoded"])
def test_a_table_that_a_hook_made_predicts_alike(made, java_process, scenario):
    """It stays in Java, where the levels are looked up once more."""
    folder = made / scenario / "model"
    (folder / "Custom.java").write_text(
        "import io.polyhost.*;\npublic class Custom implements Hooks {\n"
        "public Table transform(Table rows, Object model) { return rows; } }\n"
    )
    spec = ModelSpec(folder, "java", TARGETS["regression"], Path("Custom.java"))
    guest = java_process.open(spec)
    guest.load_artifact(Path("model.zip"))
    body = (made / scenario / "input.csv").read_bytes()
    handle = guest.hook("transform", guest.read(Payload(body)), guest.context())
    table = guest.predict(handle, guest.context())
    (folder / "Custom.java").unlink()
    assert np.array_equal(_matrix(table), expected(made / scenario)[1], equal_nan=True)


def test_the_form_of_the_table_does_not_matter(made, h2o):
    guest = h2o("binary")
    _, values = expected(made / "binary")
    cells = texts((made / "binary" / "input.csv").read_bytes())
    matrix = np.stack(
        [[float(cell or "nan") for cell in column] for column in cells.columns], axis=1
    )
    shuffled = list(reversed(range(len(cells.names))))
    forms = {
        "texts": cells,
        "dictionary": Table(
            cells.names,
            [
                Dictionary(np.arange(cells.rows, dtype=np.int32), tuple(column))
                for column in cells.columns
            ],
        ),
        "columns": Table(cells.names, list(matrix.T)),
        "matrix": Table.from_matrix(cells.names, matrix),
        "shuffled": cells.select(shuffled),
        "shuffled matrix": Table.from_matrix(
            [cells.names[i] for i in shuffled], matrix[:, shuffled].copy()
        ),
        "with others": Table((*cells.names, "more"), (*cells.columns, cells.columns[0])),
    }
    for name, table in forms.items():
        assert np.array_equal(_matrix(predict(guest, table)), values, equal_nan=True), name


def test_one_row_at_a_time(made, h2o):
    guest = h2o("regression")
    cells = texts((made / "regression" / "input.csv").read_bytes())
    rows = [predict(guest, cells.slice(i, i + 1)).columns[0][0] for i in range(cells.rows)]
    assert np.array_equal(rows, expected(made / "regression")[1][:, 0], equal_nan=True)


def test_no_rows(h2o, made):
    cells = texts((made / "multiclass" / "input.csv").read_bytes())
    assert predict(h2o("multiclass"), cells.slice(0, 0)).rows == 0


def test_a_category_of_digits_is_no_number(made, h2o):
    """The column sex of the diabetes data: a level 1 that came as 1, 1.0, "1", " 1" or "1.0"."""
    guest = h2o("regression")
    first = texts((made / "regression" / "input.csv").read_bytes()).slice(0, 1)
    position = first.names.index("sex")
    answers = []
    for sex in (["2"], [2], [2.0], ["2.0"], ["1"], [1], [" 1"], ["3"], [None]):
        cell = np.array(sex, dtype=None if sex[0] is not None else object)
        columns = list(first.columns)
        columns[position] = cell.astype(object) if cell.dtype.kind == "U" else cell
        answers.append(predict(guest, Table(first.names, columns)).columns[0][0])
    two, one, missing = answers[0], answers[4], answers[8]
    assert len({one, two}) == 2
    assert answers == [*[two] * 4, *[one] * 3, missing, missing]


def test_describe(h2o):
    numbers_of = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    assert h2o("regression").describe() == GuestInfo(
        framework="h2o gbm",
        columns=tuple(
            ColumnInfo(n, "category", levels=("1", "2"), unknown="missing", reader="h2o")
            if n == "sex"
            else ColumnInfo(n, "number", reader="h2o")
            for n in numbers_of
        ),
        schema_source="model",
        row_wise=True,
        target_type="regression",
    )
    info = h2o("multiclass").describe()
    assert (info.labels, info.matrix) == (("setosa", "versicolor", "virginica"), True)
    kinds = {name: h2o(name).describe().target_type for name in ("multiclass", "binary", "anomaly")}
    assert kinds == {"multiclass": "multiclass", "binary": "binary", "anomaly": "anomaly"}


def test_columns_that_are_missing_are_named(made, h2o):
    body = b"age,bmi\n1,2\n"
    with pytest.raises(
        SchemaMismatch, match=r"'sex', 'bp'.* are missing.*found 'age', 'bmi'"
    ) as caught:
        predict(h2o("regression"), body)
    assert caught.value.missing == ["sex", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    nothing = ",".join(("age", "bmi", "sex", "bp", "s1", "s2", "s3", "s4", "s5", "s6")).encode()
    full = predict(h2o("regression"), nothing + b"\n1,2" + b"," * 8 + b"\n")
    for scenario in ("regression", "regression_pojo"):
        allowed = predict(h2o(scenario, allow_missing_columns=True), body)
        assert allowed.columns[0][0] == full.columns[0][0]


def test_drums_commands_do_without_columns(polyhost, made, tmp_path):
    """They are missing values there, and the log says so once."""
    (tmp_path / "rows.csv").write_text("age,bmi\n1,2\n3,4\n")
    done = polyhost(
        *("score", "--code-dir", made / "regression" / "model", "--input", tmp_path / "rows.csv"),
        *("--output", tmp_path / "out.csv", "--target-type", "regression"),
    )
    assert done.code == 0, done.err
    assert len((tmp_path / "out.csv").read_text().split()) == 3
    assert done.err.count("They count as missing values.") == 1


def test_a_missing_offset_is_refused(made, h2o):
    cells = texts((made / "regression_offset" / "input.csv").read_bytes())
    others = [i for i, name in enumerate(cells.names) if name != "bmi"]
    with pytest.raises(SchemaMismatch, match="'bmi' are missing"):
        predict(h2o("regression_offset"), cells.select(others))


# Fails at load


def test_a_category_that_is_not_served(made, loaded):
    with pytest.raises(LoadError, match="category Clustering cannot be served: expected Regre"):
        loaded(made / "clusters" / "model", TARGETS["regression"])


@pytest.mark.parametrize(
    ("scenario", "target"), [("binary", "regression"), ("regression", "binary")]
)
def test_a_model_of_another_kind_than_the_target(made, loaded, scenario, target):
    with pytest.raises(LoadError, match="Give the target type that fits the model"):
        loaded(made / scenario / "model", TARGETS[target])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.zip", b"no zip", "model.zip is no H2O MOJO that can be read"),
        ("Model.java", b"public class Model {\n  int x = ;\n}", r"Model.java:2: illegal start"),
        ("Model.java", b"public class Model {}", "expected class Model to extend hex.genmodel"),
        ("model.jar", b"no jar", "no scoring-code model can be loaded"),
        ("model.mojo", b"", "must be called pipeline.mojo; found model.mojo"),
        ("pipeline.mojo", b"", "needs its vendor's runtime: .* found no jar"),
    ],
)
def test_a_broken_artifact(tmp_path, loaded, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LoadError, match=message):
        loaded(tmp_path, TARGETS["regression"])


def test_a_pojo_may_be_renamed_and_leaves_nothing_behind(made, loaded, tmp_path):
    source = made / "regression_pojo" / "model" / "regression_pojo.java"
    (tmp_path / "another name.java").write_bytes(source.read_bytes())
    body = (made / "regression_pojo" / "input.csv").read_bytes()
    table = predict(loaded(tmp_path, TARGETS["regression"]), body)
    assert np.array_equal(_matrix(table), expected(made / "regression_pojo")[1], equal_nan=True)
    assert [path.name for path in tmp_path.iterdir()] == ["another name.java"]


# Scoring-code jars


def test_scoring_code_sees_cells_as_it_declares_them(tmp_path, loaded):
    scoring_jar.regression(tmp_path / "jars" / "model.jar")
    guest = loaded(_jars_only(tmp_path), TARGETS["regression"])
    table = predict(guest, b"n,t\n1.5,\xc3\xbc\n,\n")
    assert table.names == ("Predictions",)
    assert list(table.columns[0]) == [1.5 + 100 * 11, 0]
    with pytest.raises(SchemaMismatch, match="column 'n', row 2: found 'abc'"):
        predict(guest, b"n,t\n1,x\nabc,x\n")


def test_scoring_code_sees_typed_cells_as_it_declares_them(tmp_path, loaded):
    scoring_jar.regression(tmp_path / "jars" / "model.jar")
    guest = loaded(_jars_only(tmp_path), TARGETS["regression"])
    table = Table(["n", "t"], [np.array([1.5, np.nan]), np.array([7, 70])])
    assert list(predict(guest, table).columns[0]) == [1.5 + 100 * 11, 100 * 12]
    assert guest.describe().columns == (ColumnInfo("n", "number"), ColumnInfo("t", "text"))


def test_two_jars_of_the_same_classes_do_not_meet(tmp_path, loaded):
    answers = []
    for offset in (1000, 2000):
        folder = tmp_path / str(offset)
        scoring_jar.regression(folder / "jars" / "model.jar", offset)
        guest = loaded(_jars_only(folder), TARGETS["regression"])
        answers.append(predict(guest, b"n,t\n,\n").columns[0][0])
    assert answers == [1000, 2000]


@pytest.mark.parametrize(
    ("own", "asked", "labels", "names", "values"),
    [
        (("no", "yes"), ("yes", "no"), ("no", "yes"), ("yes", "no"), [0.25, 0.75]),
        (("0", "1.0"), ("1", "0"), ("0", "1.0"), ("1.0", "0"), [0.25, 0.75]),
        (("good", "bad"), ("yes", "no"), ("yes", "no"), ("yes", "no"), [0.75, 0.25]),
    ],
)
def test_two_classes_by_name_or_by_position(tmp_path, loaded, own, asked, labels, names, values):
    """They come in the order in which they were asked for, as DRUM writes them."""
    scoring_jar.classifier(tmp_path / "jars" / "model.jar", *own)
    guest = loaded(_jars_only(tmp_path), Target(TargetType.BINARY, asked))
    table = predict(guest, b"n,t\n1,x\n")
    assert (table.names, [column[0] for column in table.columns]) == (names, values)
    assert guest.describe().labels == labels


def test_more_classes_by_name(tmp_path, loaded):
    scoring_jar.classifier(tmp_path / "jars" / "model.jar", "x", "y", "z")
    guest = loaded(_jars_only(tmp_path), Target(TargetType.MULTICLASS, ("z", "y", "x")))
    table = predict(guest, b"n,t\n1,x\n2,y\n")
    assert table.names == ("z", "y", "x")
    assert _matrix(table).tolist() == [[0.25, 0.25, 0.5]] * 2


def test_several_scoring_models_are_too_many(tmp_path, loaded):
    scoring_jar.regression(tmp_path / "jars" / "a.jar")
    scoring_jar.classifier(tmp_path / "jars" / "b.jar", "x", "y")
    with pytest.raises(LoadError, match="More than one DataRobot model"):
        loaded(_jars_only(tmp_path), TARGETS["regression"])


def _jars_only(folder):
    """A code dir of the jars that were built in ``jars``, without their sources."""
    code_dir = folder / "model"
    code_dir.mkdir()
    for jar in sorted((folder / "jars").glob("*.jar")):
        (code_dir / jar.name).write_bytes(jar.read_bytes())
    return code_dir


def _matrix(table):
    return np.stack([np.asarray(column) for column in table.columns], axis=1)


def test_times_count_in_whole_milliseconds():
    """H2O's parser drops what is below."""
    times = np.array(["1970-01-01T00:00:01.500999", "NaT", "1969-12-31T23:59:59.9999"], "M8[us]")
    assert np.array_equal(doubles(times), [1500.0, np.nan, -1.0], equal_nan=True)


def test_levels_count_by_position():
    levels = Dictionary(np.array([1, -1, 0], np.int32), ("a", "b"), factor=True)
    assert np.array_equal(doubles(levels), [1.0, np.nan, 0.0], equal_nan=True)


def test_a_table_that_java_cannot_hold(monkeypatch):
    monkeypatch.setattr(tables, "_LARGEST_BLOCK", 10)
    with pytest.raises(ValueError, match="Send fewer rows at a time"):
        tables.encode(Table(["x"], [np.zeros(10)]))
