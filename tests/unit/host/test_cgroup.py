"""Control groups: what is written where, in a tree of plain files; and a real one if we may."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polyhost.host.cgroup import Group, Place, find_places

MIB = 1 << 20


def test_version_2_that_was_handed_over(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/service\n")
    ours = tmp_path / "service"
    ours.mkdir()
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    (ours / "cgroup.controllers").write_text("cpu memory\n")
    (ours / "cgroup.subtree_control").write_text("")
    places = find_places(tmp_path, own)
    assert places == {"memory": Place(2, ours), "cpu": Place(2, ours)}
    assert (ours / "cgroup.subtree_control").read_text() == "+memory +cpu"
    group = Group(places, "polyhost-1-1", 64 * MIB, 1.5)
    made = ours / "polyhost-1-1"
    assert (made / "memory.max").read_text() == str(64 * MIB)
    assert (made / "cpu.max").read_text() == "150000 100000"
    group.enter(77)
    assert (made / "cgroup.procs").read_text() == "77"
    (made / "memory.events").write_text("oom 1\noom_kill 0\n")
    assert not group.out_of_memory
    (made / "memory.events").write_text("oom 1\noom_kill 1\n")
    assert group.out_of_memory


def test_version_1(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("4:memory:/service\n2:cpu,cpuacct:/\n0::/\n")
    (tmp_path / "memory" / "service").mkdir(parents=True)
    (tmp_path / "cpu").mkdir()
    places = find_places(tmp_path, own)
    assert places["memory"] == Place(1, tmp_path / "memory" / "service")
    Group(places, "g", 64 * MIB, 0.5)
    assert (places["memory"].path / "g" / "memory.limit_in_bytes").read_text() == str(64 * MIB)
    assert (tmp_path / "cpu" / "g" / "cpu.cfs_quota_us").read_text() == "50000"


def test_nowhere(tmp_path: Path) -> None:
    assert find_places(tmp_path, tmp_path / "none") == {}
    group = Group({}, "g", MIB, 1.0)
    group.enter(1)
    assert (group.memory, group.cpus, group.out_of_memory, group.close()) == (False,) * 3 + (True,)


def test_a_real_group_ends_what_takes_too_much() -> None:
    places = find_places()
    if "memory" not in places:
        pytest.skip("no memory control group may be made here")
    group = Group(places, f"polyhost-{os.getpid()}-test", 48 * MIB, None)
    code = "import sys; sys.stdin.read(1); x = bytearray(200 << 20); x[::4096] = x[::4096]"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        group.enter(process.pid)
        process.communicate(b"!", timeout=60)
    assert process.returncode == -9
    assert group.out_of_memory
    assert group.close()
