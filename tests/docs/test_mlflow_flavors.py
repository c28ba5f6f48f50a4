"""The table of flavors in docs/mlflow.md is what the tests of flavors found."""

from __future__ import annotations

from flavors.table import PAGE, page


def test_the_page_has_the_table_of_what_was_found() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run: PYTHONPATH=tests python -m flavors.table"
