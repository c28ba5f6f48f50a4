"""Files that are replaced as a whole: whatever happens, the old one or the new one is there."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from polyhost.files import replace
from polyhost.files.replace import replacing, write_whole


def test_content_and_permissions(tmp_path):
    path = tmp_path / "out.csv"
    write_whole(path, b"first")
    (tmp_path / "by open").touch()
    assert path.stat().st_mode == (tmp_path / "by open").stat().st_mode
    (tmp_path / "by open").unlink()
    path.chmod(0o640)
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    write_whole(path, b"third", mode=0o755)
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert os.listdir(tmp_path) == ["out.csv"]


def test_an_error_in_the_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.csv"
    path.write_bytes(b"good")

    def write() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert path.read_bytes() == b"good"
    assert os.listdir(tmp_path) == ["out.csv"]


@pytest.mark.parametrize("unnamed", [True, False])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, call, unnamed):
    path = tmp_path / "out.csv"
    path.write_bytes(b"good")
    if not unnamed:
        monkeypatch.setattr(os, "O_TMPFILE", os.O_TMPFILE | os.O_CREAT)  # EINVAL from the kernel
    before = path.stat().st_ino

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="No space left"):
            write_whole(path, b"new")
    assert (path.read_bytes(), path.stat().st_ino) == (b"good", before)
    assert os.listdir(tmp_path) == ["out.csv"]
    write_whole(path, b"new")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"new", ["out.csv"])


def test_a_real_limit_of_a_files_size_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.csv"
    path.write_bytes(b"good")
    code = """
import resource, signal, sys
from pathlib import Path
from polyhost.files.replace import write_whole
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
try:
    write_whole(Path(sys.argv[1]), bytes(1 << 20))
except OSError as error:
    print(error.errno)
"""
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True)
    assert int(done.stdout) == errno.EFBIG
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"good", ["out.csv"])


def test_a_killed_writer_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "out.csv"
    path.write_bytes(b"good")
    code = """
import os, signal, sys
from pathlib import Path
from polyhost.files.replace import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half" * 100_000)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"good", ["out.csv"])


def test_a_link_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "out.csv").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real/out.csv")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "out.csv").read_bytes() == b"new"


def test_devices_and_pipes_are_written_to(tmp_path):
    write_whole(Path(os.devnull), b"x")
    with pytest.raises(OSError, match="No space left"):
        write_whole(Path("/dev/full"), b"x")
    code = "import sys; from pathlib import Path; from polyhost.files.replace import write_whole\n"
    code += "print('a', flush=True); write_whole(Path('/dev/stdout'), b'b'); print('c')"
    words = [sys.executable, "-c", code]
    assert subprocess.run(words, capture_output=True, check=True).stdout == b"a\nbc\n"
    with open(tmp_path / "out", "ab") as out:
        subprocess.run(words, stdout=out, check=True)
    assert (tmp_path / "out").read_bytes().endswith(b"c\n")


def test_a_file_that_cannot_be_renamed_over_is_written_in_place(tmp_path, monkeypatch):
    path = tmp_path / "out.csv"
    path.write_bytes(b"old, and longer")

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")  # as for a mounted file

    monkeypatch.setattr(replace.os, "replace", busy)
    write_whole(path, b"new")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"new", ["out.csv"])


def test_a_closed_folder_with_an_open_file(tmp_path, monkeypatch):
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    real = os.open

    def closed(place: object, flags: int, mode: int = 0o777, **more: int) -> int:
        if flags & os.O_CREAT or flags & os.O_TMPFILE == os.O_TMPFILE:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(place, flags, mode, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(replace.os, "open", closed)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    path.unlink()
    with pytest.raises(PermissionError):
        write_whole(path, b"new")
