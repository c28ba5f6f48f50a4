"""Archives that lie, or unpack to more than they may: refused with little time, disk and memory."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from polyhost.errors import SourceError
from polyhost.store import Store
from polyhost.store import draft as draft_module

MIB = 1 << 20


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store") as made:
        yield made


def refused(store: Store, path: Path) -> str:
    """The reason; nothing is left of it, and it took little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(SourceError) as raised:
            store.add(path, "m")
        assert tracemalloc.get_traced_memory()[1] < 40 * MIB
    finally:
        tracemalloc.stop()
    assert store.versions() == ()
    assert not list((store.root / "making").iterdir())
    return raised.value.message


def zeros_in_zip(path: Path, mib: int, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive, archive.open("zeros", "w") as file:
        for _ in range(mib):
            file.write(bytes(MIB))
    return path


def test_a_zip_bomb_is_refused_by_its_list_before_anything_is_written(store, tmp_path, monkeypatch):
    bomb = zeros_in_zip(tmp_path / "bomb.zip", 65)
    monkeypatch.setattr(draft_module.Draft, "add_file", lambda *_, **__: pytest.fail("written"))
    message = refused(store, bomb)
    assert f"bomb.zip, an archive of {bomb.stat().st_size} bytes, unpacks to {65 * MIB}" in message
    assert f"expected at most {64 * MIB}" in message


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_list_says_less_than_it_holds(store, tmp_path, method):
    path = zeros_in_zip(tmp_path / "liar.zip", 8, method)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<I", 1000)  # the size in the central directory
    path.write_bytes(data)
    assert "liar.zip" in refused(store, path) or "as long as" in refused(store, path)


def test_a_zip_whose_list_says_more_than_it_holds(store, tmp_path):
    with zipfile.ZipFile(tmp_path / "liar.zip", "w") as archive:
        archive.writestr("a", b"x" * 100)
    data = bytearray((tmp_path / "liar.zip").read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<I", 5000)
    (tmp_path / "liar.zip").write_bytes(data)
    message = refused(store, tmp_path / "liar.zip")
    assert "'a' is not as long as the archive's list says: expected 5000 bytes" in message


def test_members_that_share_their_bytes(store, tmp_path):
    """One megabyte of zeros, listed a hundred times."""
    data = zeros_in_zip(tmp_path / "one.zip", 1).read_bytes()
    at, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entry = data[at:end]
    entries = b"".join(entry.replace(b"zeros", f"z{n:04}".encode()) for n in range(100))
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 100, 100, len(entries), at, 0)
    (tmp_path / "shared.zip").write_bytes(data[:at] + entries + tail)
    assert f"unpacks to {100 * MIB} bytes" in refused(store, tmp_path / "shared.zip")


def test_a_tar_bomb_stops_at_the_bound(store, tmp_path):
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("zeros")
        member.size = 65 * MIB
        archive.addfile(member, io.BytesIO(bytes(65 * MIB)))
    assert f"unpacks to {65 * MIB} bytes" in refused(store, tmp_path / "bomb.tar.gz")


def test_a_sparse_member_counts_as_what_it_unpacks_to(store, tmp_path):
    member = tarfile.TarInfo("hole")
    member.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % (1 << 32)  # its real size; it has no data
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "sparse.tar").write_bytes(bytes(header) + bytes(1024))
    assert f"unpacks to {1 << 32} bytes" in refused(store, tmp_path / "sparse.tar")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_a_header_that_would_fill_the_memory(store, tmp_path, kind):
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, 60 * MIB
    with gzip.open(tmp_path / "header.tar.gz", "wb") as file:
        file.write(member.tobuf(tarfile.USTAR_FORMAT))
        file.write(bytes(60 * MIB))
    message = refused(store, tmp_path / "header.tar.gz")
    assert f"the archive has a header of {60 * MIB} bytes" in message


def test_too_many_members_are_refused_before_any_is_written(store, tmp_path, monkeypatch):
    monkeypatch.setattr(draft_module, "MOST_FILES", 3)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"f{number}", b"")
    assert "too many files: expected at most 3; found 4 more" in refused(
        store, tmp_path / "many.zip"
    )


def test_a_compressible_model_is_no_bomb(store, tmp_path):
    version = store.add(zeros_in_zip(tmp_path / "model.zip", 8))
    assert store.facts(version).bytes == 8 * MIB


@pytest.mark.parametrize("end", [".tar", ".tgz", ".tar.xz"])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_the_content_says_how_a_tar_is_packed(store, tmp_path, mode, end):
    with tarfile.open(tmp_path / f"m{end}", mode) as archive:
        member = tarfile.TarInfo("a")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    assert (store.add(tmp_path / f"m{end}").path / "a").read_bytes() == b"abc"


@pytest.mark.parametrize("kind", ["file", "folder", "nothing", "loop"])
def test_a_link_that_leads_out_does_not_say_what_is_there(store, tmp_path, kind):
    outside = tmp_path / "outside"
    {"file": outside.touch, "folder": outside.mkdir}.get(kind, lambda: None)()
    if kind == "loop":
        outside.symlink_to("outside")
    model = tmp_path / "model"
    model.mkdir()
    (model / "a").write_bytes(b"x")
    (model / "link").symlink_to("../outside")
    assert refused(store, model) == (
        "'link' is a link to ../outside, outside the folder: expected files and folders only. "
        "Put the file itself there."
    )


def test_a_link_to_itself(store, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a").symlink_to("a")
    assert "cannot read" in refused(store, tmp_path / "model")
