"""Another user for a worker: found, checked, and become for good."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from polyhost.errors import SettingsError
from polyhost.host import user
from polyhost.worker import identity

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@as_root
def test_a_process_becomes_the_user_for_good() -> None:
    nobody = user.find("nobody")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            identity.become(nobody.to_wire())
            told = [str(os.getresuid()), str(os.getresgid()), str(sorted(os.getgroups()))]
            try:
                os.setuid(0)
            except PermissionError:
                told.append("never root again")
            os.listdir("/proc/self/fd")  # ours although the user changed
            sudo = subprocess.run(["su", "-c", "id"], capture_output=True, check=False)
            told.append(str(sudo.returncode != 0))
            os.write(writer, "\n".join(told).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        told = file.read().splitlines()
    os.waitpid(pid, 0)
    uid, gid = pwd.getpwnam("nobody")[2:4]
    groups = sorted(os.getgrouplist("nobody", gid))
    assert told == [str((uid,) * 3), str((gid,) * 3), str(groups), "never root again", "True"]


@as_root
@pytest.mark.parametrize(
    ("name", "wrong"), [("no-such-account", "no account"), ("root", "is root")]
)
def test_accounts_that_will_not_do(name: str, wrong: str) -> None:
    with pytest.raises(SettingsError, match=wrong):
        user.find(name)


def test_only_root_may_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SettingsError, match="expected polyhost to be started as root"):
        user.find("nobody")


@as_root
def test_what_the_user_may_not_read_is_named(tmp_path: Path) -> None:
    nobody = user.find("nobody")
    python = "/usr/bin/python3"
    if not os.path.exists(python):
        pytest.skip(f"no {python} here")
    user.check_readable(nobody, python, [Path("/etc/hostname"), Path("/usr/lib/locale")])
    with pytest.raises(SettingsError, match="who may not read /etc/shadow"):
        user.check_readable(nobody, python, [Path("/etc/shadow")])
    with pytest.raises(SettingsError, match=r"no-python: .*No such file"):
        user.check_readable(nobody, "/no-python", [])
