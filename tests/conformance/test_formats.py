"""Arrow streams in every language; Matrix Market files in those that take them."""

from __future__ import annotations

import email
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import requests
from conformance.cases import cases, cases_without_gaps, read_rows
from conformance.scenarios import SCENARIOS
from conformance.sparse_models import SCORE, TEXTS, TRANSFORM, write
from scipy import sparse
from scipy.io import mmread, mmwrite

from polyhost.bridges import BRIDGES

ARROW = "application/x-apache-arrow-stream"
FRAME = pd.DataFrame({"a": [1, 2, 4], "b": [2.0, 3.0, 5.0], "name": ["ann", "bob", "c, d"]})
MATRIX = sparse.coo_matrix(np.array([[1.0, 0, 0], [0, 2.5, 0], [0, 4.0, 3.0], [0, 0, 0]]))
NAMES = b"a\n b c \nd\n"


def stream(frame: pd.DataFrame) -> bytes:
    """What a client makes of a frame; its index travels too."""
    table = pa.Table.from_pandas(frame)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def market() -> bytes:
    out = io.BytesIO()
    mmwrite(out, MATRIX)
    return out.getvalue()


# Arrow


@pytest.mark.parametrize(("scenario", "runtime"), cases(["score_regression"]))
def test_an_arrow_file(polyhost, scenario, runtime):
    data, output = polyhost.folder / "rows.arrow", polyhost.folder / "out"
    data.write_bytes(stream(FRAME.iloc[[0, 2]]))
    flags = ("--code-dir", SCENARIOS[scenario].folder(runtime), "--target-type", "regression")
    done = polyhost("score", *flags, "--input", data, "--output", output)
    assert done.code == 0, done.err
    assert read_rows(output) == (["Predictions"], [[5.0], [14.0]])


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["textgeneration"]))
def test_an_arrow_body(models_of, scenario, runtime):
    server = models_of(runtime)
    expected = {"predictions": ["hello ann", "hello bob", "hello c, d"]}
    for content_type in (ARROW, "application/vnd.apache.arrow.stream"):
        reply = server.post(f"/models/{scenario}/predict/", stream(FRAME), content_type)
        assert (reply.status_code, reply.json()) == (200, expected)


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["score_regression"]))
def test_an_arrow_part(host_of, scenario, runtime):
    server, path = host_of(runtime), f"/models/{scenario}/predict/"
    url = f"http://127.0.0.1:{server.port}{path}"
    part = requests.post(url, files={"X": ("rows.arrow", stream(FRAME))}, timeout=60)
    assert part.json() == {"predictions": [5.0, 8.0, 14.0]}
    wrong = server.post(path, b"a,b\n1,2\n", ARROW)
    assert wrong.status_code == 422
    assert "not an Arrow IPC stream" in wrong.json()["message"]


# Matrix Market

SPARSE = [pytest.param(name, marks=pytest.mark.runtime(name)) for name in TEXTS]
OTHERS = [
    pytest.param(name, marks=pytest.mark.runtime(name)) for name in BRIDGES if name not in TEXTS
]
EXPECTED = [1.0, 27.5, 47.0, 0.0]


def write_sparse(polyhost, language):
    """A code dir with hooks that read a sparse table."""
    return write(language, SCORE, polyhost.folder)


def score_sparse(polyhost, folder, *flags, target="regression"):
    data, output = polyhost.folder / "rows.mtx", polyhost.folder / "out"
    data.write_bytes(market())
    flags = ("--code-dir", folder, "--target-type", target, *flags)
    return polyhost("score", *flags, "--input", data, "--output", output), output


@pytest.mark.parametrize("runtime", SPARSE)
@pytest.mark.parametrize("named", [True, False])
def test_a_sparse_file(polyhost, runtime, named):
    names = polyhost.folder / "names.txt"
    names.write_bytes(NAMES)
    flags = ("--sparse-column-file", names) if named else ()
    done, output = score_sparse(polyhost, write_sparse(polyhost, runtime), *flags)
    assert done.code == 0, done.err
    assert read_rows(output) == (["Predictions"], [[value] for value in EXPECTED])


@pytest.mark.parametrize("runtime", SPARSE)
def test_names_that_are_not_as_many_as_columns(polyhost, runtime):
    names = polyhost.folder / "names.txt"
    names.write_bytes(b"a\nb\n")
    folder = write_sparse(polyhost, runtime)
    done, _ = score_sparse(polyhost, folder, "--sparse-column-file", names)
    assert done.code == 1
    assert "sparse matrix of 3 column" in done.err


@pytest.mark.parametrize("runtime", SPARSE)
def test_sparse_parts_over_http(host_of, runtime):
    server, path = host_of(runtime), f"/models/{SCORE}/predict/"
    url = f"http://127.0.0.1:{server.port}{path}"
    files = {"X": ("x.mtx", market()), "X.colnames": ("names.txt", NAMES)}
    assert requests.post(url, files=files, timeout=60).json() == {"predictions": EXPECTED}
    raw = server.post(path, market(), "text/mtx")
    assert raw.json() == {"predictions": EXPECTED}
    upper = requests.post(url, files={"X": ("x.MTX", market())}, timeout=60)
    assert upper.status_code in (422, 500)  # the name counts with its case: this is no CSV


@pytest.mark.parametrize("runtime", SPARSE)
def test_a_sparse_transform_answers_sparsely_and_gives_y_back(host_of, runtime):
    url = f"http://127.0.0.1:{host_of(runtime).port}/models/{TRANSFORM}/transform/"
    files = {
        "X": ("x.mtx", market()),
        "X.colnames": ("names.txt", NAMES),
        "y": ("y.csv", b"target\n1\n2\n3\n4\n"),
    }
    reply = requests.post(url, files=files, timeout=60)
    assert reply.status_code == 200, reply.text
    head = f"Content-Type: {reply.headers['content-type']}\r\n\r\n".encode()
    parts = {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in email.message_from_bytes(head + reply.content).get_payload()
    }
    assert (parts["X.format"], parts["y.format"]) == (b"sparse", b"csv")
    assert parts["X.colnames"].split(b"\n") == [b"a", b"b c", b"d"]
    assert parts["y.transformed"] == b"target\n1\n2\n3\n4\n"
    found = mmread(io.BytesIO(parts["X.transformed"]))
    assert np.array_equal(found.toarray(), 2 * MATRIX.toarray())


@pytest.mark.parametrize("runtime", OTHERS)
def test_other_languages_say_that_they_do_not_take_it(polyhost, runtime):
    folder = SCENARIOS["score_regression"].folder(runtime)
    done, _ = score_sparse(polyhost, folder)
    assert done.code == 1
    assert "text/mtx" in done.err
    assert "expected CSV" in done.err
