""".xz files: what the standard library reads, and no dictionary that is too large."""

from __future__ import annotations

import io
import lzma
import random
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from polyhost.errors import SourceError
from polyhost.store import Store
from polyhost.store.xz import open_xz

DATA = bytes(random.Random(1).choices(range(40), k=300_000))
LARGEST = 40
"""The code of a dictionary of 4 GiB."""


def greedy(packed: bytes) -> bytes:
    """The same with a block header that asks for the largest dictionary there is."""
    head = bytearray(packed[12:24])
    assert (
        head[:4] == b"\x02\x00\x21\x01"
    )  # twelve bytes, one filter: LZMA2 with one byte of properties
    head[4] = LARGEST
    head[8:12] = zlib.crc32(head[:8]).to_bytes(4, "little")
    return packed[:12] + bytes(head) + packed[24:]


def tar_of(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("custom.py")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("preset", [0, 6, 9, 9 | lzma.PRESET_EXTREME])
def test_it_reads_what_the_standard_library_reads(tmp_path: Path, preset: int) -> None:
    path = tmp_path / "data.xz"
    first, second = (lzma.compress(part, preset=preset) for part in (DATA[:1000], DATA[1000:]))
    path.write_bytes(first + second)
    with open_xz(path) as ours, lzma.open(path) as theirs:
        assert ours.read() == DATA
        for place in (0, 5, 250_000, 999, 1000, 250_001, len(DATA), 400_000):
            assert ours.seek(place) == theirs.seek(place)
            assert ours.tell() == theirs.tell()
            assert ours.read(700) == theirs.read(700)


def test_zeros_between_streams_and_at_the_end_are_padding(tmp_path: Path) -> None:
    first, second = lzma.compress(DATA[:1000]), lzma.compress(DATA[1000:])
    (tmp_path / "data.xz").write_bytes(first + bytes(8) + second + bytes(4))
    with open_xz(tmp_path / "data.xz") as file:
        assert file.read() == DATA


def test_half_of_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data.xz").write_bytes(lzma.compress(DATA)[:-5000])
    with open_xz(tmp_path / "data.xz") as file, pytest.raises(EOFError):
        file.read()


@pytest.mark.parametrize("streams", [1, 2])
def test_a_dictionary_that_is_too_large_is_refused(tmp_path: Path, streams: int) -> None:
    tar = tar_of(DATA)
    packed = greedy(lzma.compress(tar))
    if streams == 2:  # the second one asks for it
        packed = lzma.compress(tar[:2048]) + greedy(lzma.compress(tar[2048:]))
    path = tmp_path / "model.tar.xz"
    path.write_bytes(packed)
    with Store(tmp_path / "store") as store, pytest.raises(SourceError, match="emory usage limit"):
        store.add(path, "m")


def test_so_is_one_in_a_zip_archive(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("custom.py", DATA)
    data = bytearray(path.read_bytes())
    size = 30 + len("custom.py") + 4 + 1  # header, name, version and length, literal settings
    data[size : size + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with (
        Store(tmp_path / "store") as store,
        pytest.raises(SourceError, match="a dictionary of more"),
    ):
        store.add(path, "m")
