from __future__ import annotations

import numpy as np
import pytest

from polyhost.data.payload import SparseTable, Table
from polyhost.pipeline.fit import split

DENSE = np.array([[0, 1, 0], [2, 0, 3], [0, 0, 0], [4, 5, 0.0]])
NAMES = ("a", "b", "c")


@pytest.fixture
def table():
    row, column = np.nonzero(DENSE)
    return SparseTable(NAMES, len(DENSE), (row, column, DENSE[row, column]))


def matrix(table):
    return np.column_stack(table.columns)


@pytest.mark.parametrize(("start", "stop"), [(0, 2), (1, 4), (2, 3), (1, 99), (3, 1)])
def test_rows_of_a_sparse_table_are_sparse(table, start, stop):
    found = table.slice(start, stop)
    assert isinstance(found, SparseTable)
    assert found.rows == len(DENSE[start:stop])
    np.testing.assert_array_equal(matrix(found), DENSE[start:stop])


@pytest.mark.parametrize("positions", [[0, 2], [2, 0, 1], [1], []])
def test_columns_of_a_sparse_table_are_sparse(table, positions):
    found = table.select(positions)
    assert isinstance(found, SparseTable)
    assert (found.names, found.rows) == (tuple(NAMES[i] for i in positions), 4)
    for i, column in zip(positions, found.columns, strict=True):
        np.testing.assert_array_equal(column, DENSE[:, i])


def test_a_column_may_be_selected_twice(table):
    np.testing.assert_array_equal(matrix(table.select([1, 1])), DENSE[:, [1, 1]])


def test_features_stay_sparse_beside_a_target(table):
    rows, target = split(table, "b", "target")
    assert isinstance(rows, SparseTable)
    assert type(target) is Table
    assert rows.names == ("a", "c")
    np.testing.assert_array_equal(target.columns[0], DENSE[:, 1])
