"""The models that each language's own tool makes, made once for all processes of a test session.

Training them starts an H2O, a Julia or an R with caret, which takes longer than most tests. What is
made is only read: whoever changes a folder copies it first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import clean_environment

from polyhost.files.locks import locked

MAKERS = Path(__file__).resolve().parents[1] / "models" / "builtin"
RUNNERS = {
    ".py": [sys.executable, "-W", "ignore"],
    ".R": ["Rscript", "--no-init-file"],
    ".jl": ["julia", "--startup-file=no"],
    ".sh": ["sh"],
}
"""How a ``make.*`` is run."""


def made_models(language: str, temporary: pytest.TempPathFactory) -> Path:
    """A folder of each of the maker's scenarios; the first process that asks runs the maker."""
    into = _shared(temporary) / f"made-{language}"
    into.mkdir(exist_ok=True)
    complete = into / "complete"
    with locked(into / "lock"):
        if not complete.exists():
            _run(language, into)
            complete.touch()
    return into


def _shared(temporary: pytest.TempPathFactory) -> Path:
    """A folder of the whole session, under pytest-xdist as well."""
    base = temporary.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def _run(language: str, into: Path) -> None:
    (maker,) = (MAKERS / language).glob("make.*")
    done = subprocess.run(
        [*RUNNERS[maker.suffix], str(maker), "all", str(into)],
        cwd=into,
        env=clean_environment(into),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, f"{maker}:\n{done.stdout}\n{done.stderr}"
