"""H2O models: every format's answer to the same rows is that of H2O's own Java scorer."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from differential import h2o_rows
from support.bodies import ARROW, JSON, Column, as_arrow, as_csv, bodies, parts
from support.guest_process import GuestProcess, RemoteModel

from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidInput, LoadError, SchemaMismatch, SettingsError
from polyhost.predictor import INFER_TARGET, ModelSpec

pytestmark = pytest.mark.runtime("java")

HERE = Path(__file__).resolve().parent
REGRESSION = Target(TargetType.REGRESSION)
HI_LO = Target(TargetType.BINARY, ("hi", "lo"))
BITS = Target(TargetType.BINARY, ("1", "0"))
TARGETS = {
    "anomaly": Target(TargetType.ANOMALY),
    "binomial": HI_LO,
    "multinomial": Target(TargetType.MULTICLASS, ("0", "1", "2")),
    "digits": BITS,
    "platt": HI_LO,
    "isotonic": HI_LO,
    "platt_digits": BITS,
}
MOJOS = (
    *("gbm", "one_hot", "binary_encoded", "label_encoded", "eigen", "limited", "xgboost", "deep"),
    *("glm", "anomaly", "binomial", "multinomial", "digits"),
)
POJOS = ("gbm.java", "glm.java")
ROWS = [
    Column("code", "category", ["1", "10", "2", None, "10"]),
    Column("word", "category", ["NA", "red", None, "blue sky", "blue sky"]),
    Column("flag", "category", ["true", "false", "true", "true", None]),
    Column("half", "category", ["0.5", "2.0", "1.5", None, "2.0"]),
    Column("size", "number", [0.25, None, -1.5, 3.0, 1e-3]),
    Column(
        "day",
        "time",
        [
            datetime.datetime(2020, 3, 1),
            datetime.datetime(2021, 6, 30, 12, 30, 15),
            None,
            datetime.datetime(2022, 1, 1),
            datetime.datetime(2020, 1, 1, 0, 0, 0, 678000),
        ],
    ),
]


@dataclass(frozen=True)
class Models:
    """H2O's models in a folder, a process that serves them, and one of H2O's scorer."""

    folder: Path
    process: GuestProcess
    scorer: h2o_rows.Scorer

    def load(self, name: str, **options: Any) -> RemoteModel:
        """One of them; ``name`` is that of a file without ``.zip``."""
        artifact = Path(name if name.endswith(".java") else f"{name}.zip")
        target = TARGETS.get(artifact.stem, REGRESSION)
        return self.process.load(ModelSpec(self.folder, "java", target, None, (artifact,), options))

    def by_h2o(self, name: str, columns: Sequence[Column]) -> list[list[float]]:
        """What H2O's own scorer answers."""
        return self.scorer.answers(name, columns)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Iterator[Models]:
    folder = tmp_path_factory.mktemp("h2o")
    make = [sys.executable, "-W", "ignore", "-m", "differential.h2o_models", folder]
    subprocess.run(make, check=True, cwd=HERE.parent, stdout=subprocess.DEVNULL, timeout=280)
    process = GuestProcess(tmp_path_factory.mktemp("java"), DRUM_JAVA_XMX="512m")
    scorer = h2o_rows.Scorer(folder, POJOS, tmp_path_factory.mktemp("scorer"))
    yield Models(folder, process, scorer)
    process.close()
    scorer.close()


def numbers(answer: Any) -> list[list[float]]:
    """The predictions of an answer, row by row, the classes in H2O's order."""
    rows = answer["predictions"]
    if isinstance(rows[0], dict):
        return [[row[label] for label in sorted(row)] for row in rows]
    return [[value] for value in rows]


@pytest.mark.parametrize("name", [*MOJOS, *POJOS])
def test_every_format_answers_as_h2o(models, name):
    model = models.load(name)
    for part, columns in parts(with_times_as_numbers(ROWS) if name in POJOS else ROWS):
        answers = models.by_h2o(name, columns)
        for body in bodies(columns):
            found = numbers(model.predictions(body.content_type, body.data))
            assert found == answers, (part, body.format)


def with_times_as_numbers(columns: Sequence[Column]) -> list[Column]:
    """A POJO does not say that a column holds times."""
    return [
        Column(c.name, "number", [h2o_rows.milliseconds(cell) for cell in c.cells])
        if c.kind == "time"
        else c
        for c in columns
    ]


def changed(name: str, kind: str, cells: Sequence[Any]) -> list[Column]:
    """As many rows as there are cells, all like the first but for one column."""
    return [
        Column(name, kind, cells)
        if column.name == name
        else Column(column.name, column.kind, [column.cells[0]] * len(cells))
        for column in ROWS
    ]


SPELLINGS = {
    "code": [(10, "10"), (10.0, "10"), ("10.0", "10"), (" 10", "10"), (1, "1"), ("1.0", "1")],
    "flag": [(True, "true"), ("True", "true"), ("TRUE", "true"), (False, "false"), ("F", "false")],
    "half": [(0.5, "0.5"), (2, "2.0"), (2.0, "2.0"), ("2", "2.0"), (" 1.5 ", "1.5")],
    "word": [(" red", "red"), ("NA", "NA"), ("blue sky ", "blue sky")],
}


@pytest.mark.parametrize("encoded", ["gbm", "binary_encoded", "gbm.java"])
def test_a_level_is_known_by_any_spelling(models, encoded):
    model = models.load(encoded)
    flat = with_times_as_numbers if encoded in POJOS else list
    for name, pairs in SPELLINGS.items():
        answers = models.by_h2o(encoded, flat(changed(name, "category", [b for _, b in pairs])))
        sent = flat(changed(name, "category", [a for a, _ in pairs]))
        found = [numbers(model.predictions("text/csv", as_csv(sent)))]
        found += [
            [value for body in sent_as for value in numbers(model.predictions(*body))]
            for sent_as in (json_of(sent), arrow_of(sent, name))
        ]
        assert found == [answers] * 3, name


def json_of(columns: Sequence[Column]) -> Iterator[tuple[str, bytes]]:
    body = next(body for body in bodies(columns) if body.format == "json-records")
    yield body.content_type, body.data


def arrow_of(columns: Sequence[Column], name: str) -> Iterator[tuple[str, bytes]]:
    """One row at a time, each with its cell's own type."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "text"}
    import pyarrow as pa

    types = {
        "boolean": pa.bool_(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "text": pa.string(),
        "category": pa.string(),
        "time": pa.timestamp("us"),
    }
    for i in range(len(columns[0].cells)):
        row = [replace(column, cells=[column.cells[i]]) for column in columns]
        row = [replace(c, kind=kinds[type(c.cells[0])]) if c.name == name else c for c in row]
        yield ARROW, as_arrow(row, types)


def test_unknown_levels_are_missing_and_named_once(models):
    model = models.load("one_hot")
    model.warnings()
    missing = models.by_h2o("one_hot", changed("word", "category", [None]))
    sent = as_csv(changed("word", "category", ["green", "blue", "green"]))
    for _ in range(2):
        assert numbers(model.predictions("text/csv", sent)) == missing * 3
    assert model.warnings() == [
        "column 'word' holds 'green', which the model was not trained with: it counts as missing. "
        "Said once for this column."
    ]


def test_unknown_levels_may_be_errors(models):
    model = models.load("gbm", unknown_levels="error")
    with pytest.raises(SchemaMismatch, match=r"column 'word', row 2: .*'green'.*'NA', 'blue sky'"):
        model.predictions("text/csv", as_csv(changed("word", "category", ["red", "green"])))


DATES = {
    "2021-06-30": datetime.datetime(2021, 6, 30),
    "6/30/2021": datetime.datetime(2021, 6, 30),
    "30-Jun-21": datetime.datetime(2021, 6, 30),
    "2021-06-30 12:30:15": datetime.datetime(2021, 6, 30, 12, 30, 15),
    "2021-06-30T12:30:15Z": datetime.datetime(2021, 6, 30, 12, 30, 15),
    "2021-06-30T14:30:15+02:00": datetime.datetime(2021, 6, 30, 12, 30, 15),
    "1625056215000": datetime.datetime(2021, 6, 30, 12, 30, 15),
    "NA": None,
}


def test_a_date_is_the_milliseconds_that_h2o_means(models):
    model = models.load("glm")
    answers = models.by_h2o("glm", changed("day", "time", list(DATES.values())))
    texts = changed("day", "text", list(DATES))
    assert numbers(model.predictions("text/csv", as_csv(texts))) == answers
    ((kind, body),) = json_of(texts)
    assert numbers(model.predictions(kind, body)) == answers


def test_h2o_reads_the_dates_as_we_do(models):
    """Those of H2O's own forms, through the parser of its server."""
    jar = Path(sys.prefix, "lib", f"python3.{sys.version_info[1]}", "site-packages")
    own = [text for text, moment in DATES.items() if moment and "T" not in text and "-" in text]
    source = models.folder / "Times.java"
    source.write_text(
        "import water.parser.*;\npublic class Times { public static void main(String[] texts) {\n"
        "for (String text : texts) { byte[] bytes = text.getBytes(); System.out.println("
        "ParseTime.attemptTimeParse(new BufferedString(bytes, 0, bytes.length))); } } }\n"
    )
    command = ["java", "-cp", str(jar / "h2o/backend/bin/h2o.jar"), str(source), *own]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "TZ": "UTC"}
    )
    assert [float(line) for line in done.stdout.split()] == [
        h2o_rows.milliseconds(DATES[text]) for text in own
    ]


@pytest.mark.parametrize(
    ("name", "cell", "says"),
    [
        ("size", "large", "a number"),
        ("size", "2020-01-01", "a number"),
        ("size", [1], "a number"),
        ("day", "soon", "a time"),
        ("day", "31/12/2020", "a time"),
        ("day", {"day": 1}, "a time"),
        ("word", ["red"], "a category"),
        ("word", {"word": "red"}, "a category"),
    ],
)
def test_what_no_cell_can_be_is_refused(models, name, cell, says):
    model = models.load("gbm")
    columns = changed(name, "text", [ROWS[0].cells[0], cell])
    good = {c.name: c.cells[0] for c in ROWS}
    columns = [replace(c, cells=[good[c.name], c.cells[1]]) for c in columns]
    ((kind, body),) = json_of(columns)
    with pytest.raises(SchemaMismatch, match=f"column '{name}', row 2: .* expects {says}"):
        model.predictions(kind, body)
    if isinstance(cell, str):
        with pytest.raises(SchemaMismatch, match=f"column '{name}', row 2: .* expects {says}"):
            model.predictions("text/csv", as_csv(columns))


def test_a_date_in_a_pojos_column_is_refused(models):
    """A POJO knows no times: their texts would count as missing."""
    model = models.load("gbm.java")
    with pytest.raises(SchemaMismatch, match=r"column 'day', row 1: .*expects a number"):
        model.predictions("text/csv", as_csv(ROWS))


@pytest.mark.parametrize("body", [b"code,word,flag,half,size,day\n1,NA,true,0.5,1\n", b"code\n"])
def test_an_ill_formed_table_is_refused(models, body):
    with pytest.raises(InvalidInput, match=r"row 1 has 5 fields: expected 6|the table has no rows"):
        models.load("gbm").predictions("text/csv", body)


@pytest.mark.parametrize("name", ["platt", "isotonic", "platt_digits"])
def test_calibrated_probabilities_on_request(models, name):
    answers = models.by_h2o(name, ROWS)
    labels = ("0", "1") if name == "platt_digits" else ("hi", "lo")
    names = ("cal_p0", "cal_p1") if name == "platt_digits" else ("cal_hi", "cal_lo")
    plain = models.load(name).predictions("text/csv", as_csv(ROWS))["predictions"]
    assert [[row[label] for label in labels] for row in plain] == [row[:2] for row in answers]
    asked = models.load(name, extra_outputs=True).predictions(JSON, json_of_rows())
    extra = asked["extraModelOutput"]
    assert [[row[label] for label in labels] for row in asked["predictions"]] == [
        row[:2] for row in answers
    ]
    assert extra["columns"] == list(names)
    assert extra["data"] == [row[2:] for row in answers]


def json_of_rows() -> bytes:
    ((_, body),) = json_of(ROWS)
    return body


@pytest.mark.parametrize("name", ["gbm", "binomial", "multinomial", "digits", "anomaly"])
def test_the_artifact_says_its_target(models, name):
    """No flag is needed: type and labels come from the MOJO."""
    spec = ModelSpec(
        models.folder, "java", REGRESSION, None, (Path(f"{name}.zip"),), {INFER_TARGET: ""}
    )
    answer = models.process.load(spec).predictions("text/csv", as_csv(ROWS))
    assert numbers(answer) == models.by_h2o(name, ROWS)
    labels = TARGETS.get(name, REGRESSION).labels
    assert set(answer["predictions"][0] if labels else ()) == set(labels)


def test_a_target_that_contradicts_the_artifact_is_an_error(models):
    spec = ModelSpec(models.folder, "java", HI_LO, None, (Path("gbm.zip"),))
    with pytest.raises(LoadError, match=r"gbm\.zip is a H2O Regression model"):
        models.process.load(spec)
    spec = ModelSpec(models.folder, "java", HI_LO, None, (Path("digits.zip"),))
    with pytest.raises(SettingsError, match="Expected predictions to have columns"):
        models.process.load(spec)
