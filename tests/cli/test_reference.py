from __future__ import annotations

from pathlib import Path

from polyhost.cli.reference import page

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_the_command_line_is_up_to_date():
    written = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m polyhost.cli.reference > docs/cli.md"
