"""Small Python models, written where a test needs them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

Model = Callable[..., Path]


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """Writes a code dir with a ``custom.py`` of this text, and returns it."""

    def write(text: str, name: str = "model", metadata: str | None = None) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "custom.py").write_text(textwrap.dedent(text), encoding="utf-8")
        if metadata is not None:
            (folder / "model-metadata.yaml").write_text(textwrap.dedent(metadata), encoding="utf-8")
        return folder

    return write
