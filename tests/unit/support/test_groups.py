"""What shares a process when the suite runs in several."""

from __future__ import annotations

import pytest
from support.groups import group_of, rank


@pytest.mark.parametrize(
    ("node", "group"),
    [
        ("tests/conformance/test_answers.py::test_over_http[prints-r]", "conformance r"),
        ("tests/conformance/test_builtin.py::test_json[records-binary-julia]", "conformance julia"),
        ("tests/conformance/test_declared.py::test_every_folder", "conformance python"),
        ("tests/faults/test_faults.py::test_exit[java]", "faults java"),
        ("tests/differential/test_r.py::test_levels[one row]", "differential r"),
        ("tests/unit/bridges/test_r_csv.py::test_quotes", "bridges r"),
        ("tests/unit/bridges/java/test_java.py::test_hooks", "bridges java"),
        ("tests/unit/bridges/test_python.py::test_hooks", "unit/bridges/test_python.py"),
        ("tests/server/test_life.py::test_drain", "server/test_life.py"),
    ],
)
def test_the_group_of_a_test(node, group):
    assert group_of(node) == group


def test_groups_that_share_a_runtime_begin_first():
    nodes = ["tests/unit/data/test_payload.py", "tests/server/test_a.py", "tests/faults/test_b.py"]
    assert sorted(nodes, key=rank) == nodes[::-1]
