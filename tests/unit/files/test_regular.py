"""Reading the start of files that may be anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from polyhost.files.regular import read_start


def test_the_first_bytes_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert read_start(tmp_path / "file") == b"0123456789"
    assert read_start(tmp_path / "file", 4) == b"0123"


@pytest.mark.parametrize("kind", ["absent", "folder", "pipe", "device"])
def test_what_is_no_file_gives_nothing_and_blocks_nobody(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "path"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    assert read_start(path) == b""
