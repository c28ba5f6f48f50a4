"""Environments from the files that MLflow leaves beside a model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.wheels import wheel

from polyhost.environments import cache, installers, interpreter
from polyhost.environments.mlflow_files import Listed, read_listed
from polyhost.environments.recipe import Recipe
from polyhost.errors import CodeDirError, EnvironmentFailed

OURS = "{}.{}.{}".format(*sys.version_info)
MINOR = "{}.{}".format(*sys.version_info)
PYTHON_ENV = "python: {}\nbuild_dependencies: []\ndependencies: [-r requirements.txt]\n"


@pytest.fixture
def saved(code_dir):
    """Writes a folder as MLflow saves it."""

    def write(env: object = None, **files: str) -> Path:
        pyfunc = "" if env is None else f", env: {env}"
        text = f"flavors: {{python_function: {{loader_module: x{pyfunc}}}}}\n"
        (code_dir / "MLmodel").write_text(text)
        for name, content in files.items():
            (code_dir / name.replace("__", ".")).write_text(content)
        return code_dir

    return write


def version_of(environment, package: str = "tiny") -> str:
    code = f"import {package}; print({package}.__version__)"
    done = subprocess.run([environment.python, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize(
    ("conda", "expected"),
    [
        (
            "dependencies: [python=3.8.8, 'pip<=23', {pip: [mlflow==1.30, tiny]}]",
            Listed("conda.yaml", "3.8.8", ("pip<=23", "mlflow==1.30", "tiny")),
        ),
        (
            "dependencies: ['python=3.10', pip, scikit-learn=1.2.0, 'conda-forge::xgboost']",
            Listed("conda.yaml", "3.10", (), ("scikit-learn=1.2.0", "xgboost")),
        ),
        ("dependencies: ['python>=3.9,<3.12']", Listed("conda.yaml", "3.9", ())),
        ("dependencies: ['python==3.9.1=h12_0', 'setuptools=65']",
         Listed("conda.yaml", "3.9.1", ("setuptools==65",))),
        ("dependencies: [python, python-dateutil=2.8]",
         Listed("conda.yaml", None, (), ("python-dateutil=2.8",))),
    ],
)  # fmt: skip
def test_a_conda_file_is_read_as_pip_can_use_it(saved, conda, expected):
    assert read_listed(saved(conda__yaml=conda)) == expected


def test_the_first_file_that_is_there_counts(saved, code_dir):
    assert read_listed(code_dir) is None
    (code_dir / "conda.yaml").write_text("dependencies: [python=3.9]\n")
    assert read_listed(code_dir) is None  # no folder of MLflow's
    saved()
    assert read_listed(code_dir).source == "conda.yaml"
    saved(python_env__yaml=PYTHON_ENV.format("3.8.18"))
    assert read_listed(code_dir) == Listed("python_env.yaml", "3.8.18", ("-r requirements.txt",))
    assert read_listed(code_dir, conda_first=True).python == "3.9"


def test_files_have_the_names_that_the_model_gives_them(saved):
    text = "dependencies: ['python=3.9']"
    assert read_listed(saved("conda_env.yaml", conda_env__yaml=text)).source == "conda_env.yaml"
    both = "{conda: c.yaml, virtualenv: p.yaml}"
    assert read_listed(saved(both, p__yaml="python: 3.11.1")).source == "p.yaml"
    with pytest.raises(CodeDirError, match=r"'\.\./conda\.yaml': expected a file of the model's"):
        read_listed(saved("../conda.yaml"))


@pytest.mark.parametrize("text", ["[", "- a", "dependencies: {a: 1}", "x: 1"])
def test_a_file_that_cannot_be_read_is_named(saved, text):
    with pytest.raises(CodeDirError, match=r"conda\.yaml"):
        read_listed(saved(conda__yaml=text))


@pytest.mark.parametrize("manager", ["uv", "conda"])
def test_each_manager_builds_what_is_listed(saved, environments, manager, monkeypatch, caplog):
    monkeypatch.setattr(cache, "find_conda", lambda: None)
    folder = saved(
        python_env__yaml=PYTHON_ENV.format(OURS),
        conda__yaml=f"dependencies: [python={MINOR}, blas=1.0, {{pip: [-r requirements.txt]}}]",
        requirements__txt="tiny\n",
    )
    made = environments.get(folder, manager=manager)
    assert [version_of(made), version_of(made, "numpy")] == ["1.0", "9.9"]
    assert ("only conda can install; they are left out: blas=1.0" in caplog.text) == (
        manager == "conda"
    )
    again = environments.get(folder, manager=manager)
    assert again.folder == made.folder
    made.release()
    again.release()


def test_a_changed_requirement_is_another_environment(saved):
    def digest(**options):
        return Recipe.read(folder, **options).digest("x")

    folder = saved(python_env__yaml=PYTHON_ENV.format(OURS), requirements__txt="tiny\n")
    first, more = digest(), digest(more=["tiny==2"])
    saved(requirements__txt="tiny==1.0\n")
    changed = digest()
    saved(python_env__yaml=PYTHON_ENV.format("3.9.1"))
    assert len({first, more, changed, digest()}) == 4


def test_more_requirements_come_over_the_models_own(saved, environments, offline):
    wheel(offline, "extra", "3.0")
    folder = saved(python_env__yaml=PYTHON_ENV.format(OURS), requirements__txt="tiny\n")
    made = environments.get(folder, more=["extra"])
    assert [version_of(made), version_of(made, "extra")] == ["1.0", "3.0"]
    made.release()


def test_requirements_alone_are_enough(saved, environments):
    made = environments.get(saved(requirements__txt="tiny\n"))
    assert version_of(made) == "1.0"
    made.release()


def test_virtualenv_is_made_by_venv_and_pip(saved):
    recipe = Recipe.read(saved(requirements__txt="tiny\n"))
    made_by, _ = cache._choose(recipe, "virtualenv")
    assert isinstance(made_by, installers.VenvAndPip)
    (step,) = made_by.install(recipe, Path("/e"), Path("/e/listed.txt"))
    assert step.command[-2:] == ("-r", "requirements.txt")


def test_another_patch_of_the_recorded_python_will_do(saved, environments, caplog):
    folder = saved(python_env__yaml=PYTHON_ENV.format(f"{MINOR}.99"), requirements__txt="tiny\n")
    made = environments.get(folder)
    assert version_of(made) == "1.0"
    assert f"no Python {MINOR}.99 here: using {MINOR}" in caplog.text
    made.release()
    saved(python_env__yaml=PYTHON_ENV.format("3.99.1"))
    with pytest.raises(EnvironmentFailed, match=r"no Python 3\.99 here"):
        environments.get(folder)


@pytest.mark.parametrize("with_uv", [True, False])
def test_interpreters_of_pyenv_are_found_behind_its_shims(tmp_path, monkeypatch, with_uv):
    """A shim starts only the version that was chosen for the folder; the versions are all there."""
    root = tmp_path / "pyenv"
    shim = root / "shims" / f"python{MINOR}"
    real = root / "versions" / OURS / "bin" / f"python{MINOR}"
    for path in (shim, real):
        path.parent.mkdir(parents=True)
    shim.write_text("#!/bin/sh\necho 'pyenv: not chosen' >&2\nexit 127\n")
    shim.chmod(0o755)
    real.symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setenv("PYENV_ROOT", str(root))
    monkeypatch.setenv("PATH", str(shim.parent))
    monkeypatch.setattr(interpreter.sys, "executable", str(shim.parent / "none"))
    uv = installers.find_uv() if with_uv else None
    assert interpreter.find(MINOR, uv).version == OURS


CONDA = """#!/bin/sh
echo "$@" >> "{log}"
case "$*" in
  --version) echo 2.0 ;;
  *) while [ "$1" != --prefix ]; do shift; done
     "{python}" -m venv --without-pip "$2"
     mkdir "$2/lib/python{minor}/site-packages/numpy"
     touch "$2/lib/python{minor}/site-packages/numpy/__init__.py" ;;
esac
"""


@pytest.mark.parametrize(
    ("name", "verb"), [("micromamba", "create --yes"), ("conda", "env create")]
)
def test_conda_installs_its_own_file_where_it_is_present(
    saved, environments, tmp_path, monkeypatch, name, verb
):
    """A stand-in for conda, which makes a virtual environment at the prefix."""
    tool, log = tmp_path / "bin" / name, tmp_path / "log"
    tool.parent.mkdir()
    tool.write_text(CONDA.format(log=log, python=sys.executable, minor=MINOR))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    folder = saved(conda__yaml="dependencies: [python=3.9, blas=1.0]")
    made = environments.get(folder, manager="conda")
    asked = log.read_text().splitlines()
    assert asked[1:] == [f"{verb} --prefix {made.folder / 'venv'} --file {folder / 'conda.yaml'}"]
    assert Path(made.python).parent.parent == made.folder / "venv"
    made.release()
