from __future__ import annotations

import os
import shutil
import tarfile

import pytest

from polyhost.cluster import shipping
from polyhost.cluster.shipping import Shipment, pack, unpack
from polyhost.errors import SourceError


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "prices"
    (folder / "sub" / "__pycache__").mkdir(parents=True)
    (folder / "custom.py").write_text("MODEL = 1\n")
    (folder / "sub" / "run.sh").write_text("exit 0\n")
    (folder / "sub" / "run.sh").chmod(0o755)
    (folder / "sub" / "__pycache__" / "x.pyc").write_bytes(b"1")
    return folder


@pytest.fixture
def other_machine(tmp_path, monkeypatch):
    """Each call gives this process the store of another machine."""
    numbers = iter(range(9))

    def enter():
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"machine{next(numbers)}"))
        monkeypatch.setattr(shipping, "_stores", [])

    enter()
    return enter


def test_a_folder_arrives_as_it_was(model, tmp_path, other_machine):
    shipment, archive = pack(str(model), tmp_path)
    other_machine()
    fetched = []
    found = unpack(shipment, lambda name: fetched.append(name) or archive)
    assert (found / "custom.py").read_text() == "MODEL = 1\n"
    assert os.access(found / "sub" / "run.sh", os.X_OK)
    assert sorted(path.name for path in found.rglob("*")) == ["custom.py", "run.sh", "sub"]
    assert unpack(shipment, fetched.append) == found, "it is there: nothing is fetched"
    assert fetched == [archive.name] == [shipment.file_name]


def test_equal_folders_are_one_shipment(model, tmp_path, other_machine):
    first, archive = pack(str(model), tmp_path)
    content = archive.read_bytes()
    shutil.copytree(model, tmp_path / "elsewhere" / "prices")
    again, _ = pack(str(tmp_path / "elsewhere" / "prices"), tmp_path)
    assert again == first
    assert archive.read_bytes() == content
    (model / "custom.py").write_text("MODEL = 2\n")
    changed, _ = pack(str(model), tmp_path)
    assert changed.file_name != first.file_name


def test_what_was_changed_on_its_way_is_refused(model, tmp_path, other_machine):
    shipment, archive = pack(str(model), tmp_path)
    (model / "custom.py").write_text("MODEL = 3\n")
    with tarfile.open(archive, "w") as tar:
        tar.add(model, arcname=".")
    other_machine()
    with pytest.raises(SourceError, match="damaged on its way"):
        unpack(shipment, lambda name: archive)


def test_without_a_home_the_temporary_folder_serves(model, tmp_path, other_machine, monkeypatch):
    shipment, archive = pack(str(model), tmp_path)
    other_machine()
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    found = unpack(shipment, lambda name: archive)
    assert found.is_relative_to(tmp_path / f"polyhost-{os.getuid()}")


def test_a_shipment_is_plain_data():
    assert Shipment("m", "0" * 64).file_name == f"polyhost-m-{'0' * 20}.tar"
