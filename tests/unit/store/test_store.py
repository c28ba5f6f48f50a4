"""The store: what goes in comes out whole, and nothing that is unsafe goes in."""

from __future__ import annotations

import io
import os
import random
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyhost.errors import PolyhostError, SettingsError, SourceError, StoreError
from polyhost.store import Store, digest_of
from polyhost.store import draft as draft_module

FILES = {"custom.py": b"x = 1\n", "data/weights.bin": b"\0" * 5000, "data/labels.txt": b"a\nb\n"}


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def zip_of(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def tar_of(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


@pytest.fixture
def model(tmp_path):
    return put(tmp_path / "model", FILES)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store") as made:
        yield made


def test_a_folder_becomes_a_read_only_version(store, model):
    (model / "__pycache__").mkdir()
    (model / "__pycache__" / "custom.pyc").write_bytes(b"made by a run")
    (model / "data" / "__pycache__").mkdir()
    version = store.add(model)
    assert (version.name, store.versions()) == ("model", (version,))
    assert contents(version.path) == FILES
    modes = {oct(path.stat().st_mode & 0o777) for path in version.path.rglob("*")}
    assert modes == {"0o444", "0o555"}
    assert store.facts(version).source == str(model)
    assert store.used == store.facts(version).bytes == sum(map(len, FILES.values()))
    assert not list((store.root / "making").iterdir())
    store.verify(version)


def test_every_kind_of_archive_gives_the_folders_digest(store, model, tmp_path):
    expected = store.add(model).digest
    inside = {f"top/{name}": content for name, content in FILES.items()}
    sources = {"flat.zip": zip_of(FILES), "nested.ZIP": zip_of(inside)}
    for ending, mode in ((".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".tar.xz", "w:xz")):
        sources["flat" + ending] = tar_of(FILES, mode)
        sources["nested" + ending] = tar_of(inside, mode)
    for name, data in sources.items():
        (tmp_path / name).write_bytes(data)
        version = store.add(tmp_path / name, "archived")
        assert (version.digest, contents(version.path)) == (expected, FILES), name
    assert len(store.versions("archived")) == 1


def test_the_name_comes_from_the_source(store, tmp_path):
    (tmp_path / "churn.tar.gz").write_bytes(tar_of(FILES))
    assert store.add(tmp_path / "churn.tar.gz").name == "churn"
    with pytest.raises(SettingsError, match=r"wrong model name '\.\./x'"):
        store.add(tmp_path / "churn.tar.gz", "../x")


def test_a_program_stays_executable(store, model):
    (model / "run.sh").write_text("#!/bin/sh\n")
    (model / "run.sh").chmod(0o755)
    assert stat.S_IMODE((store.add(model).path / "run.sh").stat().st_mode) == 0o555


@pytest.mark.parametrize(
    "change",
    [
        lambda model: (model / "custom.py").write_bytes(b"x = 2\n"),
        lambda model: (model / "custom.py").rename(model / "custom2.py"),
        lambda model: (model / "empty").mkdir(),
        lambda model: (model / "more").touch(),
    ],
)
def test_names_contents_and_folders_make_the_digest(store, model, change):
    before = store.add(model)
    change(model)
    after = store.add(model)
    assert after.digest != before.digest
    assert store.versions("model") == (before, after)


names = st.text(st.characters(exclude_characters="/\\\0:", codec="utf-8"), min_size=1, max_size=20)
trees = st.dictionaries(
    names.filter(lambda name: name not in (".", "..", "__pycache__")), st.binary(), min_size=1
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(first=trees, second=trees)
def test_equal_trees_have_equal_digests_and_others_have_not(tmp_path_factory, first, second):
    folders = [put(tmp_path_factory.mktemp("tree"), tree) for tree in (first, first, second)]
    one, again, other = map(digest_of, folders)
    assert one == again
    assert (one == other) == (first == second)


def _member(name: str, kind: bytes, link: str = "") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        archive.addfile(member)
    return made.getvalue()


def _zip_link() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        member = zipfile.ZipInfo("link")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    return made.getvalue()


UNSAFE = {
    "up.zip": zip_of({"../out": b"x"}),
    "up inside.zip": zip_of({"a/../../out": b"x"}),
    "absolute.zip": zip_of({"/tmp/out": b"x"}),
    "backslash.zip": zip_of({"..\\out": b"x"}),
    "drive.zip": zip_of({"C:/out": b"x"}),
    "link.zip": _zip_link(),
    "both.zip": zip_of({"a": b"x", "a/b": b"y"}),
    "folder then file.zip": zip_of({"a/b": b"y", "a": b"x"}),
    "no files.zip": zip_of({"a/": b""}),
    "up.tar.gz": tar_of({"../out": b"x"}),
    "absolute.tar.gz": tar_of({"/tmp/out": b"x"}),
    "dot.tar.gz": tar_of({".": b"x"}),
    "symlink.tar.gz": _member("link", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link.tar.gz": _member("link", tarfile.LNKTYPE, "/etc/passwd"),
    "device.tar.gz": _member("null", tarfile.CHRTYPE),
    "block.tar.gz": _member("disk", tarfile.BLKTYPE),
    "pipe.tar.gz": _member("pipe", tarfile.FIFOTYPE),
    "long name.tar.gz": tar_of({"n" * 300: b"x"}),
    "no archive.zip": b"hello",
    "no archive.tar.gz": b"hello",
    "cut.tar.gz": tar_of(FILES)[:-40],
    "empty.tar": b"",
    "unknown.7z": b"7z",
}


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_or_damaged_archive_leaves_nothing(store, tmp_path, name):
    (tmp_path / name).write_bytes(UNSAFE[name])
    before = sorted(tmp_path.iterdir())
    with pytest.raises((SourceError, StoreError)):
        store.add(tmp_path / name, "m")
    assert store.versions() == ()
    assert sorted(tmp_path.iterdir()) == before
    assert not list((store.root / "making").iterdir())


def test_a_file_that_comes_twice_is_refused(store, tmp_path):
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("a", "first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a", "second")
    with pytest.raises(SourceError, match="'a' is there twice"):
        store.add(tmp_path / "twice.zip")


ZIPPED, TARRED = zip_of(FILES), tar_of(FILES, "w")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(whole=st.sampled_from([ZIPPED, TARRED]), data=st.data())
def test_a_mangled_archive_is_read_or_refused_and_never_leaves_the_store(
    tmp_path_factory, whole, data
):
    folder = tmp_path_factory.mktemp("mangled")
    at = data.draw(st.integers(0, len(whole) - 1))
    piece = data.draw(st.binary(min_size=1, max_size=8))
    source = folder / ("m.zip" if whole is ZIPPED else "m.tar")
    source.write_bytes(whole[:at] + piece + whole[at + len(piece) :])
    with Store(folder / "store", quota=1 << 20) as store:
        try:
            store.verify(store.add(source))
        except (SourceError, StoreError):
            assert store.versions() == ()
    assert sorted(path.name for path in folder.iterdir()) == [source.name, "store"]


def test_links_of_a_folder(store, model, tmp_path):
    (model / "same.py").symlink_to("custom.py")
    assert contents(store.add(model).path) == {**FILES, "same.py": FILES["custom.py"]}
    (tmp_path / "secret").write_text("s")
    (model / "out.py").symlink_to(tmp_path / "secret")
    with pytest.raises(SourceError, match=r"'out.py' is a link to .*secret, outside the folder"):
        store.add(model)
    (model / "out.py").unlink()
    (model / "round").symlink_to(".")
    with pytest.raises(SourceError, match="'round' is a link to a folder"):
        store.add(model)


def test_a_pipe_in_a_folder_is_refused_and_not_waited_for(store, model):
    os.mkfifo(model / "pipe")
    with pytest.raises(SourceError, match="'pipe' is a device, pipe or socket"):
        store.add(model)


def test_a_source_that_is_not_there_or_holds_the_store(store, tmp_path):
    with pytest.raises(SourceError, match="no source at"):
        store.add(tmp_path / "none")
    with pytest.raises(SourceError, match="holds the store itself"):
        store.add(tmp_path)


def test_a_bomb_stops_at_the_quota(tmp_path):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(50 << 20))
    (tmp_path / "bomb.zip").write_bytes(made.getvalue())
    with Store(tmp_path / "store", quota=2 << 20) as store:
        with pytest.raises(StoreError, match="does not fit into the store: expected at most"):
            store.add(tmp_path / "bomb.zip")
        assert not list((store.root / "making").iterdir())


def test_too_many_files_are_refused(store, model, monkeypatch):
    monkeypatch.setattr(draft_module, "MOST_FILES", 3)
    with pytest.raises(SourceError, match="too many files: expected at most 3"):
        store.add(model)


def test_a_change_of_a_version_is_found(store, model):
    version = store.add(model)
    custom = version.path / "custom.py"
    for folder in (version.path, version.path / "data"):
        folder.chmod(0o755)
    (version.path / "data" / "__pycache__").mkdir()
    store.verify(version)
    assert not (version.path / "data" / "__pycache__").exists()
    custom.chmod(0o644)
    custom.write_bytes(b"x = 3\n")
    with pytest.raises(StoreError, match="its digest is now"):
        store.verify(version)
    custom.write_bytes(FILES["custom.py"])
    store.verify(version)
    (version.path / "link").symlink_to("/etc")
    with pytest.raises(StoreError, match="is neither a file nor a folder"):
        store.verify(version)


def sized(tmp_path: Path, name: str, size: int = 1000) -> Path:
    return put(tmp_path / "sources" / name, {"f": name.encode().ljust(size)})


def test_the_longest_unused_goes_first_and_what_is_held_stays(tmp_path):
    with Store(tmp_path / "store", quota=3000) as store:
        a, b, c = (store.add(sized(tmp_path, name)) for name in "abc")
        with pytest.raises(StoreError, match=r"is full: .*all that is left is in use"):
            store.add(sized(tmp_path, "d"))
        for version in (b, a):
            store.release(version)
        d = store.add(sized(tmp_path, "d"))
        assert set(store.versions()) == {a, c, d}
        with pytest.raises(StoreError, match="it was collected"):
            store.hold(b)
        assert store.collect() == ()
    with Store(tmp_path / "store", quota=2000) as store:
        assert store.collect() == (a,)
        assert not list((store.root / "making").iterdir())


def test_a_version_held_by_another_process_stays(tmp_path):
    code = """
import sys
from polyhost.store import Store
store = Store(sys.argv[1])
store.hold(*store.versions())
print("held", flush=True)
sys.stdin.read()
"""
    root = tmp_path / "store"
    with Store(root) as store:
        version = store.add(sized(tmp_path, "a"))
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, root], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with Store(root, quota=0) as store:
            assert store.collect() == ()
            other.kill()
            other.wait()
            assert store.collect() == (version,)


ADDER = """
import sys
from pathlib import Path
from polyhost.store import Store
root, source = map(Path, sys.argv[1:])
print("go", flush=True)
n = 0
while True:
    n += 1
    (source / "number").write_text(str(n))
    with Store(root, quota=1_000_000) as store:
        store.add(source, "m")
"""


def test_a_killed_maker_leaves_no_half_version(tmp_path):
    """Makers are killed at random moments; every version that is seen verifies."""
    root = tmp_path / "store"
    files = {f"d{n % 3}/f{n}": bytes([n]) * 9000 for n in range(12)}
    seen = 0
    for attempt in range(8):
        source = put(tmp_path / f"source{attempt}", files)
        with subprocess.Popen(
            [sys.executable, "-c", ADDER, root, source], stdout=subprocess.PIPE
        ) as maker:
            assert maker.stdout is not None
            maker.stdout.readline()
            time.sleep(random.uniform(0.05, 0.4))
            maker.send_signal(signal.SIGKILL)
        with Store(root, quota=1_000_000) as store:
            for version in store.versions():
                store.verify(version)
                seen += 1
            assert store.used <= 1_000_000
            assert not list((root / "making").iterdir())
    assert seen


def test_two_processes_add_and_collect_at_once(tmp_path):
    code = """
import sys
from pathlib import Path
from polyhost.errors import StoreError
from polyhost.store import Store
root, sources = map(Path, sys.argv[1:])
for _ in range(15):
    for source in sorted(sources.iterdir()):
        with Store(root, quota=3500) as store:
            try:
                version = store.add(source)
            except StoreError as error:
                assert "is full" in error.message
                continue
            store.verify(version)
            store.collect()
"""
    for name in "abcd":
        sized(tmp_path, name)
    words = [sys.executable, "-c", code, tmp_path / "store", tmp_path / "sources"]
    running = [subprocess.Popen(words, stderr=subprocess.PIPE) for _ in range(3)]
    assert [(p.communicate()[1], p.returncode) for p in running] == [(b"", 0)] * 3
    with Store(tmp_path / "store", quota=3500) as store:
        assert len(store.versions()) == 3
        assert not list((store.root / "making").iterdir())


def test_threads_may_share_a_source(tmp_path, model):
    found = []

    def add() -> None:
        with Store(tmp_path / "store") as store:
            found.append(store.add(model))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_a_full_disk_leaves_nothing(store, model, monkeypatch):
    def fail(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match="No space left on device"):
        store.add(model)
    assert store.versions() == ()
    assert not list((store.root / "making").iterdir())


def test_a_damaged_note_does_not_keep_the_store_from_its_work(tmp_path):
    with Store(tmp_path / "store", quota=2500) as store:
        first = store.add(sized(tmp_path, "a"))
        (first.home / "facts.json").write_text("{")
        with pytest.raises(StoreError, match="its facts cannot be read"):
            store.facts(first)
        store.release(first)
        store.add(sized(tmp_path, "b"))
        store.add(sized(tmp_path, "c"))
        assert [version.name for version in store.versions()] == ["b", "c"]


def test_addresses(store, model):
    fsspec = pytest.importorskip("fsspec", reason="the extra remote is not installed")
    memory = fsspec.filesystem("memory")
    memory.pipe({f"/bucket/model/{name}": content for name, content in FILES.items()})
    memory.pipe("/bucket/model.zip", zip_of(FILES))
    try:
        expected = store.add(model).digest
        assert store.add("memory://bucket/model").digest == expected
        assert store.add("memory://bucket/model.zip").digest == expected
        with pytest.raises(SourceError, match="no source at memory://bucket/none"):
            store.add("memory://bucket/none")
        with pytest.raises(PolyhostError, match="cannot read nosuch://"):
            store.add("nosuch://bucket/none")
    finally:
        memory.rm("/bucket", recursive=True)
    assert store.add(f"file://{model}").digest == expected
