"""CSV bodies: both ways of reading them against read.csv of a fresh R."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.r_models import rscript

from polyhost.bridges.r import csv as r_csv
from polyhost.data.payload import Dictionary
from polyhost.errors import InvalidInput

pytestmark = pytest.mark.runtime("r")

HOSTILE = {
    "missing spellings": "n,t,l\nNA,NA,NA\n1,na,T\n,,\n2,N/A,F\n3,NULL,TRUE\n",
    "leading zeros": "zip,n\n007,1\n010,2\n",
    "mixed columns": "a,b,c\n1,TRUE,1\nx,2,2.5\n2,F,3\n",
    "quoted newlines and quotes": 'a,b\n"x\ny","say ""hi"""\n"a,b",""\n',
    "booleans": "a,b,c,d\nT,true,TRUE,T\nF,false,FALSE,NA\nTRUE,true,T,x\n",
    "dates": "d,t,h\n2020-01-02,2020-01-02 03:04:05,03:04:05\n2021-01-02,2021-01-02T03:04:05Z,3:04\n",
    "empty columns": "a,b,c\n1,,NA\n2,,\n",
    "64-bit integers": "a,b,c\n2147483647,2147483648,9007199254740993\n-2147483647,1,2\n",
    "the smallest integer": "a\n-2147483648\n1\n",
    "beyond 64 bits": "a,b\n92233720368547758080,1\n1,2\n",
    "non-ASCII": "naïve,日本,x y(1)/é\nété,語,😀\nà,本,b\n",
    "duplicate names": "a,a,b,a\n1,x,2,3\n4,y,5,6\n",
    "empty names": '"",a,\n1,2,3\n',
    "names that want trimming": 'a, b ,c d," e "\n1,2,3,4\n',
    "hexadecimal and signs": "a,b,c\n0x1A,+5,1.\n10,-5,.5\n",
    "odd numbers": "a,b,c,d\nInf,1e5,1e400,nan\n-inf,1E-5,1e-400,1\nNaN,1e+05,1,2\n",
    "almost numbers": "a,b,c,d,e,f\n1L,1d5,1_000,1e,--1,5%\n2,2,2,2,2,2\n",
    "complex": "a,b\n1+2i,1\n3i,2\n",
    "blanks around": "a,b,c,d\n 1, x , TRUE,  \n2 ,y,F,1\n",
    "missing with blanks": "a,b\n NA,1\n1, NA\n",
    "blank lines": "a,b\n\n1,2\n\n\n3,4\n\n",
    "one column": "a\n1\n\n3\n",
    "one column of text": "a\nx\n\nNA\n",
    "no line end": "a,b\n1,2\n3,4",
    "carriage returns": "a,b\r\n1,x\r\n2,y\r\n",
    "comment signs": "a,b\n#1,x#y\n2,z\n",
    "backslashes": 'a,b\nx\\y,1\n"x\\y",2\n',
    "single quotes": "a,b\nit's,1\nit's,2\n",
    "text after quotes": 'a,b\n"x"y,1\nz,2\n',
    "blank header lines": "\n\na,b\n1,2\n",
}


@pytest.fixture(scope="module")
def engine():
    from polyhost.bridges.r.engine import start

    return start()


def described(engine, frame):
    """Names, and each column's R type with its cells, as text that says everything."""
    from rpy2 import rinterface

    describe = rinterface.evalr(
        """function(frame) c(
      names(frame), vapply(frame, function(x) paste(typeof(x), class(x)), ""),
      vapply(frame, function(x) {
        paste(ifelse(is.na(x) & !is.nan(x), "<NA>", format_cell(x)), collapse = "|")
      }, ""))""".replace(
            "format_cell(x)", "if (is.double(x)) sprintf('%.14g', x) else as.character(x)"
        )
    )
    from rpy2.rinterface_lib import conversion

    return list(describe(conversion._cdata_to_rinterface(frame.sexp)))


def by_r(text, tmp_path):
    """The same of a file that a fresh R reads."""
    path = tmp_path / "data.csv"
    path.write_bytes(text.replace("\r", "").encode())
    code = f"""
      read <- function(...) read.csv('{path}', check.names = FALSE, encoding = 'UTF-8', ...)
      frame <- read(); if (ncol(frame) == 1) frame <- read(blank.lines.skip = FALSE)
      cell <- function(x) if (is.double(x)) sprintf('%.14g', x) else as.character(x)
      told <- c(names(frame), vapply(frame, function(x) paste(typeof(x), class(x)), ''),
        vapply(frame, function(x) {{
          paste(ifelse(is.na(x) & !is.nan(x), '<NA>', cell(x)), collapse = '|')
        }}, ''))
      for (line in told) cat(encodeString(line, quote = '"'), '\\n', sep = '')
    """
    lines = rscript(f"options(useFancyQuotes = FALSE); {code}").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", HOSTILE)
def test_both_ways_agree_with_read_csv(engine, monkeypatch, tmp_path, name):
    body = HOSTILE[name].encode()
    expected = by_r(HOSTILE[name], tmp_path)
    assert described(engine, r_csv.read_csv(engine, body)) == expected
    monkeypatch.setattr(r_csv, "FAST_FROM", 0)
    assert described(engine, r_csv.read_csv(engine, body)) == expected


def test_most_of_them_take_the_fast_way(engine):
    slow = {
        name
        for name, text in HOSTILE.items()
        if r_csv._read_fast(engine, r_csv._clean(text.encode())) is None
    }
    assert slow == {"text after quotes"}


CELLS = st.one_of(
    st.sampled_from(
        ["", "NA", "T", "TRUE", "F", "1", "2.5", "007", "-3", "+5", "1e3", "2020-01-02"]
    ),
    st.sampled_from(
        [" ", " 1", "1 ", " NA", "NaN", "Inf", "0x10", "true", "12:30", "a b", "é", "-"]
    ),
    st.integers(-(2**62), 2**62).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: f"{x:.6g}"),
    st.text(
        st.characters(codec="ascii", categories=["L", "N", "P"], exclude_characters='"\\,'),
        max_size=5,
    ),
)


@settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(st.tuples(*[CELLS] * width), min_size=1, max_size=6)
    )
)
def test_the_fast_way_agrees_with_the_slow_one(engine, rows):
    header = ",".join(f"c{i}" for i in range(len(rows[0])))
    body = "\n".join([header, *(",".join(row) for row in rows)]).encode() + b"\n"
    fast = r_csv._read_fast(engine, body)
    slow = engine.call("read", "read_csv_text", body.decode())
    if fast is not None:
        assert described(engine, fast) == described(engine, slow)


def test_many_rows_agree(engine):
    n = 20_000
    words = ["red", "green", "NA", "", "naïve"]
    lines = [f"{i},{i / 7:.6f},{words[i % 5]},id {i},{'TF'[i % 2]}" for i in range(n)]
    body = ("i,x,word,id,flag\n" + "\n".join(lines) + "\n").encode()
    assert len(body) > r_csv.FAST_FROM
    fast = r_csv.read_csv(engine, body)
    assert fast.rows == n
    slow = engine.call("read", "read_csv_text", body.decode())
    assert described(engine, fast) == described(engine, slow)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no lines available"),
        (b"\n \n", "no lines available"),
        (b"a,b\n1,2\n3\n", "row 2 of the CSV data has 1 fields: expected 2"),
        (b"a,b\n1,2,3\n", "row 1 of the CSV data has 3 fields: expected 2"),
        (b'a,b\n1,"2\n3,4\n', "cannot read the CSV data|of the CSV data has"),
        (b"a,b\n1,\xff\n", "must be UTF-8: found .* at offset 6"),
        (b"a,\xff\n1,2\n", "must be UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), "NUL byte at offset 1"),
    ],
)
def test_bad_bodies_are_the_callers(engine, monkeypatch, fast, body, says):
    monkeypatch.setattr(r_csv, "FAST_FROM", 0 if fast else 1 << 30)
    with pytest.raises(InvalidInput, match=says):
        r_csv.read_csv(engine, body)


@pytest.mark.parametrize("fast", [False, True])
def test_a_header_alone_has_no_rows(engine, monkeypatch, fast):
    monkeypatch.setattr(r_csv, "FAST_FROM", 0 if fast else 1 << 30)
    frame = r_csv.read_csv(engine, b"\xef\xbb\xbfa,b\n")
    assert described(engine, frame) == ["a", "b", "logical logical", "logical logical", "", ""]


def test_columns_come_back_as_they_are(engine):
    from polyhost.bridges.r.frames import to_table

    frame = r_csv.read_csv(engine, b"i,x,t,l\n1,2.5,a,T\n2,NA,NA,F\n")
    table = to_table(engine.api, engine.call("read", "columns_out", frame))
    i, x, t, flag = table.columns
    assert (i.tolist(), flag.tolist()) == ([1, 2], [True, False])
    assert np.array_equal(x, [2.5, np.nan], equal_nan=True)
    assert isinstance(t, Dictionary)
    assert t.to_objects().tolist() == ["a", None]
