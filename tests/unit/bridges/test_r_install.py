"""What the R bridge says that it needs, and the warm parent that its workers are forked from."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from support.r_models import rscript

from polyhost.bridges.r import install
from polyhost.errors import RuntimeUnavailable
from polyhost.worker.forkserver import WARM_ENVIRONMENT


@pytest.fixture
def no_r(monkeypatch):
    monkeypatch.setattr(install, "_ask_r", lambda: None)


@pytest.mark.runtime("r")
def test_the_environment_names_r_and_its_libraries(monkeypatch):
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setenv("LC_ALL", "C")
    found = install.environment()
    assert found["R_HOME"] == rscript("cat(R.home())")
    assert found["LC_ALL"] == "C.UTF-8"
    assert found["TZ"]


@pytest.mark.runtime("r")
def test_the_interpreter_keeps_its_own_library():
    code = "import json, ssl, sys; print(json.dumps([ssl.OPENSSL_VERSION, sys.version]))"
    wanted = run_python(code, LD_LIBRARY_PATH="")  # R changes it once it has started in here
    assert run_python(code, **install.environment()) == wanted


@pytest.mark.runtime("r")
def test_so_do_the_processes_that_a_process_with_r_starts(monkeypatch):
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    code = """
import json, subprocess, sys
from polyhost.bridges.r.engine import start
start()
run = subprocess.run([sys.executable, "-c", "import ssl"], capture_output=True, text=True)
print(json.dumps(run.stderr))
"""
    assert run_python(code) == ""


def test_without_r_the_environment_is_empty_and_the_fix_is_named(no_r):
    assert install.environment() == {}
    assert install.doctor()[0].fix == "apt-get install r-base-dev"
    assert "apt-get install r-base-dev" in install.unusable()


def test_an_rpy2_for_a_later_r_is_named(monkeypatch):
    monkeypatch.setattr(install, "_ask_r", lambda: ("/nowhere", "4.2.2", "", "", ""))
    monkeypatch.setattr(install.metadata, "version", lambda name: "3.6.4")
    finding = install._rpy2()
    assert (finding.ok, finding.fix) == (False, "pip install 'rpy2>=3.5.11,<3.6'")
    assert finding.found == "rpy2 3.6.4 needs R 4.5 or later, and R here is 4.2.2"


def test_opening_without_r_says_what_to_install(no_r, monkeypatch):
    from polyhost.bridges.r import engine

    monkeypatch.setattr(engine, "_engine", None)
    with pytest.raises(RuntimeUnavailable, match="apt-get install r-base-dev"):
        engine.start()


def run_python(code, **environment):
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def test_importing_the_bridge_starts_nothing():
    code = "import sys, json, polyhost.bridges.r as r; print(json.dumps('rpy2' in sys.modules))"
    assert run_python(code) is False


WARM = """
import json, os
from polyhost.bridges import bridge_for
from polyhost.wire.linux import thread_count
bridge = bridge_for("r").load()
os.environ.update(bridge.environment())
bridge.warm()
from polyhost.bridges.r.engine import start

def say(code):
    from rpy2 import rinterface
    return list(rinterface.evalr(code))[0]

def child(folder):
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            os.environ["TMPDIR"] = folder
            start()
            told = [say("runif(1)"), say("tempdir()"), say("'caret' %in% loadedNamespaces()")]
            os.write(writer, json.dumps(told).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        return json.loads(told.read())

threads, kept = thread_count(), say("dir.exists(tempdir())")
for name in ("one", "two"):
    os.mkdir(os.path.join(os.environ["ROOT"], name))
print(json.dumps([threads, kept, *(child(os.path.join(os.environ["ROOT"], n)) for n in ("one", "two"))]))
"""


@pytest.mark.runtime("r")
def test_a_warm_parent_can_be_forked_and_its_children_are_apart(tmp_path):
    threads, kept, one, two = run_python(WARM, ROOT=str(tmp_path), **WARM_ENVIRONMENT)
    assert (threads, kept) == (1, False)
    assert one[0] != two[0]  # random numbers
    assert one[1].startswith(f"{tmp_path}/one/")
    assert two[1].startswith(f"{tmp_path}/two/")
    assert one[2] is two[2] is True
