"""Julia models: every format's answer to the same rows is what plain Julia answers.

The model stands in ``custom.jl`` and needs the standard library only; its ``predict`` fails where a
column is not of the type that it declares.
"""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.bodies import JSON, Column, as_csv, bodies, parts
from support.guest_process import GuestProcess, RemoteModel

from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidInput, SchemaMismatch
from polyhost.predictor import ModelSpec

pytestmark = pytest.mark.runtime("julia")

REGRESSION = Target(TargetType.REGRESSION)
CUSTOM = """
module Custom
using Dates

struct Mixed end

const CODES = ["001", "NA", "true", "10"]
const GRADES = [1, 2.5, 10]

schema(::Mixed) = (
    size = :Continuous,
    count = Union{Missing,Int},
    flag = Bool,
    code = CODES,
    grade = GRADES,
    note = :Textual,
    day = Date,
    at = DateTime,
)

load_model(code_dir) = Mixed()

value(x::Float64) = x
value(x::Int64) = 10.0x
value(x::Bool) = x ? 100.0 : 200.0
value(x::String) = 1000.0 * sum(i * Int(c) for (i, c) in enumerate(x))
value(x::Date) = 1.0 * Dates.value(x - Date(2020))
value(x::DateTime) = Dates.value(x - DateTime(2020)) / 1000
value(::Missing) = -7.0

code(x::String) = 1e6 * findfirst(isequal(x), CODES)
code(::Missing) = 5e6
grade(x::Float64) = 1e7 * findfirst(isequal(x), GRADES)
grade(::Missing) = 9e7

plain(column, T) = eltype(column) <: Union{Missing,T} ? column : error("a column of $(eltype(column))")

predict(::Mixed, data) =
    value.(plain(data.size, Float64)) .+ value.(plain(data.count, Int64)) .+
    value.(plain(data.flag, Bool)) .+ value.(plain(data.note, String)) .+
    value.(plain(data.day, Date)) .+ value.(plain(data.at, DateTime)) .+
    code.(plain(data.code, String)) .+ grade.(plain(data.grade, Float64))

end
"""
ROWS = [
    Column("size", "number", [0.25, None, -1.5, 3.0]),
    Column("count", "integer", [1, 2**53 + 1, None, -4]),
    Column("flag", "boolean", [True, False, None, True]),
    Column("code", "category", ["001", "NA", None, "true"]),
    Column("grade", "category", ["1", "2.5", "10", None]),
    Column("note", "text", ["007", "NA", "true", None]),
    Column(
        "day",
        "date",
        [datetime.date(2020, 2, 29), None, datetime.date(1999, 1, 1), datetime.date(2024, 5, 5)],
    ),
    Column(
        "at",
        "time",
        [
            datetime.datetime(2020, 1, 1, 12),
            datetime.datetime(2021, 1, 1, 0, 0, 0, 5000),
            None,
            None,
        ],
    ),
]
TYPES = {
    "size": "Float64",
    "count": "Int64",
    "flag": "Bool",
    "code": "String",
    "grade": "Float64",
    "note": "String",
    "day": "Date",
    "at": "DateTime",
}


@pytest.fixture(scope="module")
def process(tmp_path_factory) -> Iterator[GuestProcess]:
    process = GuestProcess(tmp_path_factory.mktemp("julia"))
    yield process
    process.close()


def load(process: GuestProcess, folder: Path, custom: str) -> RemoteModel:
    (folder / "custom.jl").write_text(custom, encoding="utf-8")
    return process.load(ModelSpec(folder, "julia", REGRESSION, Path("custom.jl")))


@pytest.fixture(scope="module")
def model(process, tmp_path_factory) -> RemoteModel:
    return load(process, tmp_path_factory.mktemp("model"), CUSTOM)


def by_julia(folder: Path, tables: Sequence[Sequence[Column]]) -> list[list[float]]:
    """What plain Julia answers for typed columns."""
    (folder / "custom.jl").write_text(CUSTOM, encoding="utf-8")
    lines = ["using Dates", 'include("custom.jl")']
    for columns in tables:
        typed = ", ".join(f"{c.name} = {typed_column(c)}" for c in columns)
        lines.append(f"println(join(Custom.predict(Custom.Mixed(), ({typed},)), ' '))")
    (folder / "expected.jl").write_text("\n".join(lines), encoding="utf-8")
    done = subprocess.run(
        ["julia", "--startup-file=no", "expected.jl"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=200,
    )
    return [[*map(float, line.split())] for line in done.stdout.splitlines()]


def typed_column(column: Column) -> str:
    cells = ", ".join(literal(column, cell) for cell in column.cells)
    return f"Union{{Missing,{TYPES[column.name]}}}[{cells}]"


def literal(column: Column, cell: Any) -> str:
    if cell is None:
        return "missing"
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, datetime.datetime):
        return f'DateTime("{cell.isoformat(timespec="milliseconds")}")'
    if isinstance(cell, datetime.date):
        return f'Date("{cell.isoformat()}")'
    return f'"{cell}"' if TYPES[column.name] == "String" else str(cell)


def predictions(model: RemoteModel, content_type: str, body: bytes) -> list[float]:
    found: list[float] = model.predictions(content_type, body)["predictions"]
    return found


def test_every_format_answers_as_plain_julia(model, tmp_path):
    cases = list(parts(ROWS))
    expected = by_julia(tmp_path, [columns for _, columns in cases])
    for (part, columns), answers in zip(cases, expected, strict=True):
        for body in bodies(columns):
            found = predictions(model, body.content_type, body.data)
            assert found == answers, (part, body.format)


def changed(name: str, kind: str, cells: Sequence[Any]) -> list[Column]:
    """As many rows as there are cells, all like the first but for one column."""
    return [
        Column(name, kind, cells)
        if column.name == name
        else Column(column.name, column.kind, [column.cells[0]] * len(cells))
        for column in ROWS
    ]


@pytest.mark.parametrize(
    ("name", "sent", "means"),
    [
        ("code", ["1.0e1", "10.0", " 10", " NA"], ["10", "10", "10", "NA"]),
        ("grade", ["1.0", "10.0", " 2.5"], ["1", "10", "2.5"]),
        ("count", ["3.0", " 3"], [3, 3]),
        ("flag", ["True", "FALSE", "1", "T"], [True, False, True, True]),
    ],
)
def test_a_cell_is_known_by_any_spelling(model, tmp_path, name, sent, means):
    kind = next(column.kind for column in ROWS if column.name == name)
    (answers,) = by_julia(tmp_path, [changed(name, kind, means)])
    assert predictions(model, "text/csv", as_csv(changed(name, "text", sent))) == answers


@pytest.mark.parametrize(
    ("name", "cell", "says"),
    [
        ("size", "large", "a number"),
        ("count", "1.5", "a whole number"),
        ("count", "9223372036854775808", "a whole number"),
        ("flag", "maybe", "true or false"),
        ("code", "green", "was not trained with 'green'"),
        ("code", "01", "was not trained with '01'"),
        ("day", "soon", "a date"),
        ("at", "noon", "a time"),
    ],
)
def test_what_a_column_cannot_hold_is_refused(model, name, cell, says):
    good = next(column.cells[0] for column in ROWS if column.name == name)
    body = as_csv(changed(name, "text", [good, cell]))
    with pytest.raises(SchemaMismatch, match=rf"column '{name}', row 2: .*{says}"):
        model.predictions("text/csv", body)


@pytest.mark.parametrize("cell", ['["001"]', '{"a": 1}'])
def test_lists_and_objects_are_refused(model, cell):
    row = {"size": 1, "count": 1, "flag": True, "grade": 1, "note": "", "day": None, "at": None}
    head = ", ".join(f'"{key}": {value!r}' for key, value in row.items() if key != "flag")
    head = head.replace("None", "null").replace("'", '"')
    body = f'{{"dataframe_records": [{{{head}, "flag": true, "code": {cell}}}]}}'
    with pytest.raises(SchemaMismatch, match="column 'code', row 1"):
        model.predictions(JSON, body.encode())


ILL_FORMED = {
    "a longer row": (b"a,b\n1,2\n7,1,0\n", "row 2 has 3 fields: expected 2"),
    "a shorter row": (b"a,b\n1\n", "row 1 has 1 fields: expected 2"),
    "a separator at the end": (b"a,b\n1,2,\n", "row 1 has 3 fields: expected 2"),
    "a repeated name": (b"a,b,a\n1,2,3\n", "'a' stands twice"),
    "a header alone": (b"a,b", "the table has no rows"),
    "blank lines": (b"\n\n", "empty"),
    "NUL": (b"a,b\n1\x00,2\n", "NUL"),
    "no UTF-8": (b"a,b\n\xff,2\n", "UTF-8"),
}
LEARNED = {
    "schema": "schema(::Model) = (a = :Continuous, b = :Continuous)",
    "features": 'features(::Model) = ["a", "b"]',
    "nothing": "",
}


@pytest.mark.parametrize("says", LEARNED)
def test_ill_formed_tables_are_refused(process, tmp_path, says):
    """Whatever the model says of its columns."""
    model = load(
        process,
        tmp_path,
        f"module Custom\nstruct Model end\nload_model(code_dir) = Model()\n{LEARNED[says]}\n"
        "predict(::Model, data) = data.a .+ data.b\nend\n",
    )
    assert predictions(model, "text/csv", b"a,b\n1,2\n") == [3.0]
    for body, reason in ILL_FORMED.values():
        with pytest.raises(InvalidInput, match=reason):
            model.predictions("text/csv", body)


def test_a_column_of_unknown_kind_beside_others_is_what_the_reader_makes_of_it(process, tmp_path):
    custom = """
    module Custom
    struct Model end
    load_model(code_dir) = Model()
    schema(::Model) = (code = String, x = Any)
    predict(::Model, data) = [
        (code == "007") + 10 * Dict("Int64" => 1, "Float64" => 2, "String" => 3, "Bool" => 4)[
            string(nonmissingtype(eltype(data.x)))] + 100 * ismissing(x)
        for (code, x) in zip(data.code, data.x)
    ]
    end
    """
    model = load(process, tmp_path, custom)
    for cells, kind in (("1,2", 1), ("1,2.5", 2), ('1,"a ""b"""', 3), ("true,false", 4)):
        first, second = cells.split(",")
        body = f"code,x\n007,{first}\n7,{second}\n".encode()
        assert predictions(model, "text/csv", body) == [1 + 10 * kind, 10 * kind]
    assert predictions(model, "text/csv", b"code,x\n007,5\n007,\n") == [11, 111]


def test_the_other_columns_do_not_change_a_columns_type(process, tmp_path):
    """Where the model says nothing: whole numbers stay whole beside numbers and beside text."""
    custom = """
    module Custom
    struct Model end
    load_model(code_dir) = Model()
    predict(::Model, data) = [1.0 * (eltype(data.k) == Int64) for _ in data.k]
    end
    """
    model = load(process, tmp_path, custom)
    for row in ('{"k": 1}', '{"k": 1, "x": 0.5}', '{"k": 1, "t": "a"}'):
        body = f'{{"dataframe_records": [{row}]}}'.encode()
        assert predictions(model, JSON, body) == [1.0], row
    for body in (b"k\n1\n", b"k,x\n1,0.5\n", b"k,t\n1,a\n"):
        assert predictions(model, "text/csv", body) == [1.0], body
