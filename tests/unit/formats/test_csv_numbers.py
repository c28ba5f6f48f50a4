from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.data.payload import Table
from polyhost.formats import csv, csv_numbers

HARD = [0.0, -0.0, 1e-4, 9.999e-5, 1e-5, -1.5e-7, 5e-324, 1e15, 9999999999999998.0, 1e16, 1e22]
HARD += [1.7976931348623157e308, float("inf"), float("-inf"), float("nan"), 0.1, 1 / 3, 123456.0]

numbers = st.one_of(st.sampled_from(HARD), st.floats())


def by_pandas(matrix: np.ndarray) -> bytes:
    frame = pd.DataFrame(matrix, columns=[f"c{i}" for i in range(matrix.shape[1])])
    return frame.to_csv(index=False, lineterminator="\n").encode()


@given(
    st.integers(1, 3).flatmap(
        lambda width: st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1)
    )
)
def test_numbers_are_written_as_pandas_writes_them(rows):
    matrix = np.array(rows, float)
    names = [f"c{i}" for i in range(matrix.shape[1])]
    expected = by_pandas(matrix)
    assert csv.write_table(Table.from_matrix(names, matrix)) == expected
    assert csv.write_table(Table(names, list(matrix.T))) == expected


def test_many_plain_numbers_are_written_at_once():
    matrix = np.random.default_rng(3).random((5000, 2))
    assert csv_numbers.rows(matrix) == by_pandas(matrix).split(b"\n", 1)[1].rstrip(b"\n")


@pytest.mark.parametrize("number", [5e-5, 1e16, float("inf")])
def test_numbers_that_orjson_writes_otherwise_are_written_as_python_does(number):
    assert csv_numbers.rows(np.array([[0.5, number], [1.0, 2.0]])) == (
        f"0.5,{number!r}\n1.0,2.0".encode()
    )
    assert csv_numbers.cells(np.array([0.5, number])) == ["0.5", repr(number)]


def test_a_missing_number_is_an_empty_cell():
    assert csv_numbers.rows(np.array([[0.5, np.nan], [np.nan, 1.0]])) == b"0.5,\n,1.0"
    assert csv_numbers.cells(np.array([np.nan, 1.0])) == ["", "1.0"]
