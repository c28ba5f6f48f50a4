"""What is found out about Java without starting it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from polyhost.bridges import native
from polyhost.bridges.doctor import is_usable
from polyhost.bridges.java import doctor, installation
from polyhost.bridges.java.jvm import _arguments
from polyhost.errors import RuntimeUnavailable

jpype = pytest.importorskip("jpype")


@pytest.fixture
def java_at(monkeypatch, tmp_path):
    """``java_at(version)``: a Java of this version, with a compiler where asked."""

    def make(version, compiler=False):
        (tmp_path / "lib/server").mkdir(parents=True)
        (tmp_path / "bin").mkdir()
        if compiler:
            (tmp_path / "bin/javac").touch()
        (tmp_path / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
        library = tmp_path / "lib/server/libjvm.so"
        library.touch()
        monkeypatch.setattr(jpype, "getDefaultJVMPath", lambda: str(library))
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("text", "version"), [("17.0.15", 17), ("11", 11), ("25-ea", 25), ("21.0.1+12", 21)]
)
def test_the_version_is_in_the_release_file(java_at, text, version):
    home = java_at(text)
    found = installation.find()
    assert (found.home, found.version, found.has_compiler) == (home, version, False)


def test_too_old_a_java(java_at):
    java_at("1.8.0_402")
    with pytest.raises(RuntimeUnavailable, match=r"Java 8 at .* is too old: expected Java 11"):
        installation.find()


def test_no_java(monkeypatch):
    def none():
        raise jpype.JVMNotFoundException("none")

    monkeypatch.setattr(jpype, "getDefaultJVMPath", none)
    with pytest.raises(RuntimeUnavailable, match="apt-get install openjdk-17-jdk-headless"):
        installation.find()
    assert not is_usable(doctor())


def test_no_jpype(monkeypatch):
    monkeypatch.setitem(sys.modules, "jpype", None)
    with pytest.raises(RuntimeUnavailable, match=r"pip install 'polyhost\[java\]'"):
        installation.find()
    assert next(f.fix for f in doctor() if not f.ok) == "pip install 'polyhost[java]'"


def test_a_java_without_a_compiler(java_at):
    java_at("17")
    bad = [finding for finding in doctor() if not finding.ok]
    assert [finding.fix for finding in bad] == ["apt-get install openjdk-17-jdk-headless"]
    assert "no javac" in bad[0].found


def test_no_runtime_jar(java_at, monkeypatch, tmp_path):
    java_at("17", compiler=True)
    monkeypatch.setattr(native, "_WHEEL", tmp_path)
    monkeypatch.setattr(native, "_CHECKOUT", tmp_path)
    bad = [finding for finding in doctor() if not finding.ok]
    assert [finding.what for finding in bad] == ["polyhost's Java half"]
    assert bad[0].fix.startswith("mvn -f ")


@pytest.mark.parametrize(("version", "allowed"), [("17", False), ("21", False), ("24", True)])
def test_newer_javas_are_asked_for_native_access(java_at, monkeypatch, version, allowed):
    monkeypatch.setenv("DRUM_JAVA_XMX", "64m")
    java_at(version)
    arguments = _arguments(installation.find(), {})
    assert ("--enable-native-access=ALL-UNNAMED" in arguments) == allowed
    assert "-Xrs" in arguments
    assert "-XX:-UsePerfData" in arguments
    assert "-Xmx64m" in arguments
    assert "-Xmx1g" in _arguments(installation.find(), {"java_xmx": "1g"})


def test_importing_the_bridge_starts_nothing():
    code = "import sys, polyhost.bridges.java; sys.exit('jpype' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
