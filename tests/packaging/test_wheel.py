"""The wheel stands on its own: no checkout, no extra, no JVM, R or Julia."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]

# Where the checkout has them, and where the wheel shall.
NATIVE = {
    "runtimes/java/target/polyhost-runtime.jar": "polyhost/_runtimes/java/polyhost-runtime.jar",
    "runtimes/r/DESCRIPTION": "polyhost/_runtimes/r/DESCRIPTION",
    "runtimes/julia/Project.toml": "polyhost/_runtimes/julia/Project.toml",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    jar, maven = ROOT / "runtimes/java/target/polyhost-runtime.jar", shutil.which("mvn")
    if not (jar.exists() or maven or os.environ.get("CI")):
        pytest.skip("the jar is not built, and there is no Maven to build it")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter in a new environment that holds the wheel and its core dependencies only."""
    home = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    interpreter = home / "bin/python"
    (packages,) = home.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", str(interpreter)]
    install = [*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (info,) = packages.glob("polyhost-*.dist-info")
    for name in _required(Distribution.at(info), set()):
        _link(distribution(name), packages)
    done = subprocess.run([*pip, "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return interpreter


def _required(package: Distribution, found: set[str]) -> set[str]:
    """Names of what a distribution needs without any of its extras, and what that needs."""
    for text in package.requires or ():
        needed = Requirement(text)
        wanted = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if wanted and needed.name not in found:
            found.add(needed.name)
            _required(distribution(needed.name), found)
    return found


def _link(package: Distribution, into: Path) -> None:
    """Have a distribution of this environment in another one."""
    for top in {path.parts[0] for path in package.files or () if path.parts[0] != ".."}:
        source = Path(str(package.locate_file(top)))
        if source.exists() and not (into / top).exists():
            (into / top).symlink_to(source)


def test_wheel_carries_the_native_halves(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    expected = {inside for source, inside in NATIVE.items() if (ROOT / source).exists()}
    assert expected - names == set()
    assert "polyhost/py.typed" in names
    assert not [name for name in names if "/tests/" in name or name.startswith("tests/")]


def test_wheel_is_for_every_platform(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")


def test_import_needs_no_extra(python: Path, tmp_path: Path) -> None:
    code = "import polyhost; print(polyhost.__file__)"
    command = [str(python), "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert Path(done.stdout.strip()).is_relative_to(python.parent.parent)
