"""CSV as CSV.jl reads it, by polyhost's own reader: the rules of CSV.jl, cell by cell."""

from __future__ import annotations

import subprocess

import pytest

from polyhost.data.payload import Payload
from polyhost.errors import InvalidInput, UnsupportedContentType

pytestmark = pytest.mark.runtime("julia")

# `repr` shows a column as Julia writes it, value and type in one text; of times that text differs
# between versions.
CUSTOM = """
using Dates
load_model(code_dir) = 1
shown(column) = repr(column)
shown(column::Vector{T}) where {T<:TimeType} = string(nameof(T), "[", join(column, ", "), "]")
score(data, model) = (name = names(data), column = [shown(c) for c in eachcol(data)])
"""


@pytest.fixture(scope="module")
def guest(opened):
    return opened(CUSTOM)


def columns(guest, body):
    held = guest.read(Payload(body if isinstance(body, bytes) else body.encode()))
    table = guest.unwrap(guest.hook("score", held, guest.context()))
    return list(zip(*(column.tolist() for column in table.columns), strict=True))


@pytest.mark.parametrize(
    ("cells", "seen"),
    [
        (["1", "-2", "+3", "007"], "[1, -2, 3, 7]"),
        (["1", "2.5"], "[1.0, 2.5]"),
        (["1", "", "3"], "Union{Missing, Int64}[1, missing, 3]"),
        (["1", "x"], '["1", "x"]'),
        (["007", "x"], '["007", "x"]'),
        (["9223372036854775807"], "[9223372036854775807]"),
        (["9223372036854775808"], "[9.223372036854776e18]"),
        (["1", "9223372036854775808"], "[1.0, 9.223372036854776e18]"),
        (["1e5", ".5", "5.", "-1E-3"], "[100000.0, 0.5, 5.0, -0.001]"),
        (["nan", "Inf", "-inf"], "[NaN, Inf, -Inf]"),
        ([" 1 ", "\t2"], "[1, 2]"),
        ([" x ", "y"], '[" x ", "y"]'),
        (['"5"', "6"], "[5, 6]"),
        (["NA", "n/a", "NULL", "None"], '["NA", "n/a", "NULL", "None"]'),
        (["1", "NA"], '["1", "NA"]'),
        (["true", "False", "TRUE", "FALSE"], "Bool[1, 0, 1, 0]"),
        (["T", "F"], '["T", "F"]'),
        (["true", "yes"], '["true", "yes"]'),
        (["true", "1", "0"], "Bool[1, 1, 0]"),
        (["1", "true"], '["1", "true"]'),
        (["2020-02-29", "2020-1-2"], "Date[2020-02-29, 2020-01-02]"),
        (["2021-02-29"], '["2021-02-29"]'),
        (["2020-01-02T03:04:05.678"], "DateTime[2020-01-02T03:04:05.678]"),
        (["2020-01-02 03:04"], '["2020-01-02 03:04"]'),
        (["2020-01-02", "2020-01-02T03:04"], '["2020-01-02", "2020-01-02T03:04"]'),
        (["12:30", "23:59:59.5"], "Time[12:30:00, 23:59:59.5]"),
        (["0x10", "1_000"], '["0x10", "1_000"]'),
        (["größe", "日本"], '["größe", "日本"]'),
        (['"a\nb"', '"q ""x"""', '"c,d"'], '["a\\nb", "q \\"x\\"", "c,d"]'),
        (["x", '""', ""], 'Union{Missing, String}["x", missing, missing]'),
        (['""', "x"], 'Union{Missing, String}[missing, "x"]'),
        (["1", '""', "x"], 'Union{Missing, String}["1", missing, "x"]'),
        (["1e400", "-1e-400"], "[Inf, -0.0]"),
    ],
)
def test_a_column(guest, cells, seen):
    body = "k,c\n" + "".join(f"0,{cell}\n" for cell in cells)
    assert columns(guest, body)[1] == ("c", seen)


def test_columns_that_hold_nothing(guest):
    assert columns(guest, "a,b\n,1\n,2\n") == [("a", "[missing, missing]"), ("b", "[1, 2]")]


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("a,b\r\n1,x\r\n", [("a", "[1]"), ("b", '["x"]')]),
        ("a,b\r1,x\r", [("a", "[1]"), ("b", '["x"]')]),
        ("\n\na\n\n1\n\n\n2", [("a", "[1, 2]")]),
        (b"\xef\xbb\xbfa\n1\n", [("a", "[1]")]),
        ("a,a,a_1,\n1,2,3,4\n", [("a", "[1]"), ("a_2", "[2]"), ("a_1", "[3]"), ("Column4", "[4]")]),
        ('"a b","q""x"\n1,2\n', [("a b", "[1]"), ('q"x', "[2]")]),
        ("größe,日本\n1,2\n", [("größe", "[1]"), ("日本", "[2]")]),
        (
            "a,b,c\n1\n2,3\n",
            [
                ("a", "[1, 2]"),
                ("b", "Union{Missing, Int64}[missing, 3]"),
                ("c", "[missing, missing]"),
            ],
        ),
        (
            "a\n1\n2,x\n",
            [("a", "[1, 2]"), ("Column2", 'Union{Missing, String}[missing, "x"]')],
        ),
        ("a,b\n1,", [("a", "[1]"), ("b", "[missing]")]),
        ("a,b\n", [("a", "Missing[]"), ("b", "Missing[]")]),
    ],
)
def test_a_body(guest, body, seen):
    assert columns(guest, body) == seen


def test_numbers_are_those_of_julia_s_own_reader(guest, tmp_path, julia):
    """DelimitedFiles reads the same file in plain Julia, printed to the last digit."""
    import random

    numbers = random.Random(5)
    rows = [f"{numbers.uniform(-1, 1) * 10 ** numbers.randint(-300, 300)!r}" for _ in range(2000)]
    rows += [f"{numbers.randint(-(10**18), 10**18)}.{numbers.randint(0, 10**18)}" for _ in rows]
    path = tmp_path / "numbers.csv"
    path.write_text("c\n" + "\n".join(rows) + "\n")
    code = "using DelimitedFiles; c = readdlm(ARGS[1], ',', Float64, skipstart = 1); print(vec(c))"
    done = subprocess.run(
        [julia, "--startup-file=no", "-e", code, str(path)], check=True, stdout=subprocess.PIPE
    )
    held = guest.read(Payload(path.read_bytes()))
    assert guest.unwrap(held).columns[0].tolist() == eval(done.stdout)


def test_rows_are_counted(guest):
    assert guest.rows(guest.read(Payload(b"a\n1\n2\n"))) == 2


@pytest.mark.parametrize("body", [b"", b"\n", b"\xef\xbb\xbf\r\n"])
def test_an_empty_body_has_no_columns(guest, body):
    with pytest.raises(InvalidInput, match="empty"):
        guest.read(Payload(body))


def test_an_open_quote_is_the_caller_s_error(guest):
    with pytest.raises(InvalidInput, match=r"row 3 opens a quote"):
        guest.read(Payload(b'a,b\n1,2\n3,"x\n4,5\n'))


def test_sparse_bodies_are_refused(guest):
    with pytest.raises(UnsupportedContentType, match="text/mtx"):
        guest.read(Payload(b"%%MatrixMarket", "text/mtx"))
