"""From arguments to an exit code."""

from __future__ import annotations

import sys

import pytest

from polyhost.cli.main import main


def test_an_interrupt_while_modules_are_imported_has_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def importing(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["polyhost.cli.main"], "build_parser", importing)
    assert main(["score", "--input", "x"]) == 130
    assert "Traceback" not in capsys.readouterr().err
