"""Environments built by the real installers, from wheels made on the spot."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from support.wheels import wheel

from polyhost.environments import Environments, cache, installers, interpreter
from polyhost.environments.building import without_secrets
from polyhost.errors import EnvironmentFailed


def run(python, code):
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def version_of(environment, name="tiny"):
    return run(environment.python, f"import {name}; print({name}.__version__)")


def require(code_dir, text):
    (code_dir / "requirements.txt").write_text(text)
    return code_dir


def folders(environments):
    return sorted(path.name for path in environments.root.iterdir() if path.is_dir())


def test_built_once_and_found_again(environments, code_dir):
    first = environments.get(require(code_dir, "tiny==1.0\nnumpy\n"))
    made = (first.folder / "facts.json").stat().st_mtime_ns
    second = Environments(environments.root).get(code_dir)
    assert second.folder == first.folder
    assert (second.folder / "facts.json").stat().st_mtime_ns == made
    assert version_of(second) == "1.0"
    prefix = run(second.python, "import sys; print(sys.prefix)")
    assert prefix == str(second.folder / "venv") == second.variables["VIRTUAL_ENV"]
    first.release()
    second.release()


def test_other_requirements_are_another_environment(environments, code_dir, offline):
    old = environments.get(require(code_dir, "tiny==1.0"))
    wheel(offline, "tiny", "2.0")
    new = environments.get(require(code_dir, "tiny==2.0"))
    assert [version_of(old), version_of(new)] == ["1.0", "2.0"]
    old.release()
    new.release()


def test_numpy_is_added_where_nothing_brings_it(environments, code_dir):
    made = environments.get(require(code_dir, "tiny\n"))
    assert version_of(made, "numpy") == "9.9"
    made.release()


def test_numpy_that_was_asked_for_is_kept(environments, code_dir, offline):
    wheel(offline, "numpy", "1.5")
    made = environments.get(require(code_dir, "numpy==1.5\n"))
    assert version_of(made, "numpy") == "1.5"
    made.release()


def test_numpy_that_cannot_be_had_is_told(environments, code_dir, offline):
    (offline / "numpy-9.9-py3-none-any.whl").unlink()
    with pytest.raises(
        EnvironmentFailed, match=r"(?s)installing numpy failed.*numpy was not found"
    ):
        environments.get(require(code_dir, "tiny\n"))


def test_a_failed_build_tells_the_installers_last_lines_and_leaves_nothing(environments, code_dir):
    with pytest.raises(EnvironmentFailed) as caught:
        environments.get(require(code_dir, "tiny==7\n"))
    assert caught.value.step == "installing requirements.txt"
    assert "there is no version of tiny==7" in caught.value.output
    assert caught.value.output in caught.value.message
    assert "exit status 1" in caught.value.message
    assert folders(environments) == []


def test_offline_is_told_as_such(environments, code_dir):
    with pytest.raises(EnvironmentFailed, match=r"(?s)network was disabled.*offline: fill"):
        environments.get(require(code_dir, "six==1.15.0\n"))


def test_secrets_in_addresses_are_masked():
    text = "error: https://joe:s3cret@host/simple/x and https://host/a@b, https://token@host/"
    assert without_secrets(text) == (
        "error: https://***@host/simple/x and https://host/a@b, https://***@host/"
    )


def test_venv_and_pip_serve_where_uv_is_missing(environments, code_dir, monkeypatch, caplog):
    monkeypatch.setattr(cache, "find_uv", lambda: None)
    made = environments.get(require(code_dir, "tiny\n"))
    assert [version_of(made), version_of(made, "numpy")] == ["1.0", "9.9"]
    assert "pip install 'polyhost[uv]'" in caplog.text
    made.release()
    (code_dir / "requirements.txt").unlink()
    (code_dir / "pyproject.toml").write_text("[project]\nname = 'm'\nversion = '0'\n")
    with pytest.raises(EnvironmentFailed, match="needs uv, which is not installed"):
        environments.get(code_dir)


PROJECT = """
[project]
name = "m"
version = "0"
requires-python = ">=3.8"
dependencies = ["tiny"]
[tool.uv]
find-links = ["{wheels}"]
no-index = true
"""


def test_a_project_and_its_lock(environments, code_dir, offline):
    (code_dir / "pyproject.toml").write_text(PROJECT.format(wheels=offline))
    unlocked = environments.get(code_dir)
    uv = installers.find_uv()
    subprocess.run([uv.path, "lock", "-q"], cwd=code_dir, check=True)
    wheel(offline, "tiny", "2.0")
    locked = environments.get(code_dir)
    assert [version_of(unlocked), version_of(locked)] == ["1.0", "1.0"]
    assert locked.folder != unlocked.folder
    unlocked.release()
    locked.release()
    text = (code_dir / "pyproject.toml").read_text().replace('"tiny"', '"tiny>=2"')
    (code_dir / "pyproject.toml").write_text(text)
    with pytest.raises(EnvironmentFailed, match=r"(?s)reading uv.lock failed.*needs to be updated"):
        environments.get(code_dir)


def test_an_interpreter_that_is_not_here(environments, code_dir, monkeypatch):
    (code_dir / ".python-version").write_text("3.99\n")
    with pytest.raises(EnvironmentFailed, match=r"no Python 3\.99 here.*uv python install 3\.99"):
        environments.get(require(code_dir, "tiny\n"))
    monkeypatch.setattr(cache, "find_uv", lambda: None)
    with pytest.raises(EnvironmentFailed, match=r"no Python 3\.99 here.*polyhost\[uv\]"):
        environments.get(code_dir)


def test_another_interpreter_is_another_environment(environments, code_dir):
    debian = Path("/usr/bin/python3")
    ours = interpreter.probe(sys.executable)
    if not debian.exists() or interpreter.probe(str(debian)).version == ours.version:
        pytest.skip(f"no second Python at {debian}")
    version = interpreter.probe(str(debian)).version
    (code_dir / ".python-version").write_text(version)
    made = environments.get(require(code_dir, "tiny\n"))
    assert run(made.python, "import platform; print(platform.python_version())") == version
    made.release()


def test_an_interpreter_that_does_not_start(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such library >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(EnvironmentFailed, match="does not start: no such library"):
        interpreter.probe(str(broken))


GET = """
import logging, sys
from pathlib import Path
from polyhost.environments import Environments
logging.basicConfig(level="WARNING", stream=sys.stderr)
made = Environments(Path(sys.argv[1])).get(Path(sys.argv[2]))
print(made.folder)
"""


def test_two_processes_build_it_once(environments, code_dir):
    require(code_dir, "tiny\n")
    command = [sys.executable, "-c", GET, environments.root, code_dir]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    done = [subprocess.Popen(command, **pipes) for _ in range(2)]
    outs, errs = zip(*(process.communicate(timeout=60) for process in done), strict=True)
    assert outs[0] == outs[1] != ""
    assert "".join(errs).count("built in") == 1


def test_what_a_killed_builder_left_is_built_anew(environments, code_dir):
    made = environments.get(require(code_dir, "tiny\n"))
    made.release()
    (made.folder / "facts.json").unlink()
    (made.folder / "venv" / "bin" / "python").unlink()
    again = environments.get(code_dir)
    assert again.folder == made.folder
    assert version_of(again) == "1.0"
    again.release()


def test_the_last_used_stay_and_those_in_use(environments, code_dir):
    environments.keep = 1
    used = environments.get(require(code_dir, "tiny # 0\n"))
    unused = []
    for number in range(1, 4):
        made = environments.get(require(code_dir, f"tiny # {number}\n"))
        made.release()
        unused.append(made.digest)
    assert environments.collect() == (unused[1],)  # the build of the last one took the first
    assert folders(environments) == sorted([used.digest, unused[2]])
    facts = json.loads((used.folder / "facts.json").read_text())
    assert facts["source"] == "requirements.txt"
    used.release()


SLOW = """
import pathlib, time
def build_wheel(*args, **kwargs):
    pathlib.Path({mark!r}).touch()
    time.sleep(60)
"""


def test_a_build_that_nobody_waits_for_ends(environments, code_dir, tmp_path):
    (code_dir / "slow").mkdir()
    mark = tmp_path / "mark"
    (code_dir / "slow" / "backend.py").write_text(SLOW.format(mark=str(mark)))
    project = """
    [project]
    name = "slow"
    version = "1"
    [build-system]
    requires = []
    build-backend = "backend"
    backend-path = ["."]
    """
    (code_dir / "slow" / "pyproject.toml").write_text(textwrap.dedent(project))
    require(code_dir, "./slow\n")

    async def main():
        task = asyncio.create_task(environments.obtain(code_dir))
        while not mark.exists():
            assert not task.done(), task.exception()
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
        return time.monotonic()

    others = psutil.Process().children(recursive=True)  # of other tests, for the whole session
    left = asyncio.run(main())
    while folders(environments) and time.monotonic() - left < 20:
        time.sleep(0.02)
    assert folders(environments) == []
    assert set(psutil.Process().children(recursive=True)) <= set(others)
    assert time.monotonic() - left < 20


def test_no_room_to_build_is_told(code_dir, tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailed, match=r"cannot make an environment in .*file/below"):
        Environments(tmp_path / "file" / "below").get(require(code_dir, "tiny\n"))
