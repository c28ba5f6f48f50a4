from __future__ import annotations

from polyhost.cli.tables import aligned, render


def test_aligned():
    rows = [("name", "state", "rows"), ("a", "ready", "7"), ("longer", "", "1000")]
    assert aligned(rows) == ["name    state  rows", "a       ready  7", "longer         1000"]
    assert aligned(rows, right_from=2)[1] == "a       ready     7"
    assert aligned([("name",)]) == ["name"]


def test_cells_of_several_lines():
    assert render(("Test", "Status"), [("a", "one\ntwo"), ("b\nc\nd", "")]).splitlines() == [
        "-------------",
        "Test   Status",
        "-------------",
        "a      one",
        "       two",
        "b",
        "c",
        "d",
        "-------------",
    ]
