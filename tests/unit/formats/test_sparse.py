from __future__ import annotations

import io

import numpy as np
import pytest
from scipy import sparse as scipy_sparse
from scipy.io import mmwrite

from polyhost.errors import InvalidInput
from polyhost.formats import sparse

MATRIX = scipy_sparse.random(7, 5, density=0.4, random_state=3)


def market(matrix) -> bytes:
    out = io.BytesIO()
    mmwrite(out, matrix)
    return out.getvalue()


def test_read_what_scipy_wrote():
    table = sparse.read(memoryview(market(MATRIX)), list("abcde"))
    assert (table.names, table.rows) == (tuple("abcde"), 7)
    assert np.allclose(np.column_stack(table.columns), MATRIX.toarray())


def test_columns_are_numbered_without_names():
    assert sparse.read(market(MATRIX)).names == ("0", "1", "2", "3", "4")


def test_written_and_read_to_the_last_bit():
    table = sparse.read(market(MATRIX))
    again = sparse.read(sparse.write(table))
    assert np.array_equal(np.column_stack(again.columns), np.column_stack(table.columns))


def test_names_must_be_as_many():
    with pytest.raises(InvalidInput, match=r"2 column name\(s\) for a sparse matrix of 5"):
        sparse.read(market(MATRIX), ["a", "b"])


@pytest.mark.parametrize("body", [b"", b"a,b\n1,2\n", b"%%MatrixMarket matrix coordinate real\n"])
def test_malformed_bodies_are_the_callers_mistake(body):
    with pytest.raises(InvalidInput, match="not Matrix Market text"):
        sparse.read(body)


def test_names_one_a_line():
    assert sparse.read_names("a \nbé\r\n\nc\n\n".encode()) == ["a", "bé", "", "c"]
    with pytest.raises(InvalidInput, match="not UTF-8"):
        sparse.read_names(b"\xff")
