"""Threads of a built-in predict, as threadpoolctl sees them."""

from __future__ import annotations

import pytest
import threadpoolctl

from polyhost.bridges.python.threads import FEW_ROWS, OpenMP

pytest.importorskip("sklearn.ensemble")


def openmp_threads() -> list[int]:
    found = threadpoolctl.threadpool_info()
    return [library["num_threads"] for library in found if library["user_api"] == "openmp"]


@pytest.mark.parametrize(("rows", "threads"), [(1, 1), (FEW_ROWS - 1, 1), (FEW_ROWS, 3), (None, 3)])
def test_few_rows_are_one_thread_s_work(rows: int | None, threads: int):
    with threadpoolctl.threadpool_limits(limits=3, user_api="openmp"):
        openmp = OpenMP()
        with openmp.sized(rows):
            assert set(openmp_threads()) == {threads}
        assert set(openmp_threads()) == {3}


def test_the_setting_comes_back_after_an_error():
    with threadpoolctl.threadpool_limits(limits=3, user_api="openmp"):
        with pytest.raises(ValueError, match="guest"), OpenMP().sized(1):
            raise ValueError("guest")
        assert set(openmp_threads()) == {3}
