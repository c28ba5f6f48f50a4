"""Models in environments of their own, as their callers see them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.served import Served
from support.wheels import wheel

import polyhost
from polyhost.environments import Environments
from polyhost.errors import EnvironmentFailed, RuntimeUnavailable

Serve = Callable[..., Served]
DEBIAN = "/usr/bin/python3"
CSV = "x,y,z\n0.5,1.0,-1.0\n2.0,0.25,3.0\n-1.5,0.0,0.125\n"
METADATA = "name: m\ntype: inference\ntargetType: {}\n"

TELLS = """
import os, sys, tiny

def load_model(code_dir):
    return 1

def score_unstructured(model, data, **kwargs):
    outside = [p for p in sys.path if "site-packages" in p and not p.startswith(sys.prefix)]
    return f"{tiny.__version__} {sys.prefix == os.environ['VIRTUAL_ENV']} {outside}"
"""

SLOW_PROJECT = """
[project]
name = "slow"
version = "1"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture
def cache(tmp_path: Path) -> dict[str, str]:
    """Variables for a cache of its own, and for an index that knows the package ``tiny``, too."""
    wheels = tmp_path / "wheels"
    for version in ("1.0", "2.0"):
        wheel(wheels, "tiny", version)
    return {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "UV_FIND_LINKS": str(wheels),
        **installer_variables(),
    }


def installer_variables() -> dict[str, str]:
    """How the index is reached; and what is downloaded once stays in the user's own cache of uv."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("UV_", "PIP_", "SSL_")) or name.lower().endswith("_proxy")
    }
    return {"UV_CACHE_DIR": str(Path.home() / ".cache" / "uv"), **kept}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A code dir whose answer tells its environment."""
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "custom.py").write_text(TELLS, encoding="utf-8")
    (folder / "model-metadata.yaml").write_text(METADATA.format("unstructured"), encoding="utf-8")
    return folder


def require(folder: Path, text: str) -> None:
    (folder / "requirements.txt").write_text(text, encoding="utf-8")


def answer(served: Served) -> tuple[int, str]:
    reply = served.post("/models/m/predictUnstructured/", "x", "text/plain")
    return reply.status_code, reply.text


def config(tmp_path: Path, folder: Path, **settings: Any) -> Path:
    path = tmp_path / "polyhost.yaml"
    new = tmp_path / "polyhost.yaml.new"
    models = {"m": {"path": str(folder), "env": "uv", **settings}}
    new.write_text(json.dumps({"models": models}), encoding="utf-8")
    new.replace(path)
    return path


def until(done: Callable[[], bool], seconds: float = 90) -> None:
    limit = time.monotonic() + seconds
    while not done() and time.monotonic() < limit:
        time.sleep(0.05)
    assert done()


def need(reason: str) -> None:
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@contextmanager
def asking(served: Served) -> Iterator[list[tuple[int, str]]]:
    """Requests without a pause from another thread, their answers collected."""
    found: list[tuple[int, str]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            found.append(answer(served))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


@pytest.fixture(scope="session")
def index() -> None:
    """Skips, or fails with CI set, where no package index can be reached."""
    uv = shutil.which("uv", path=os.path.dirname(sys.executable))
    if uv is None:
        need("uv is not installed here")
        return
    ask = [uv, "pip", "install", "--dry-run", "--python", sys.executable, "numpy", "--reinstall"]
    done = subprocess.run(ask, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        need(f"no package index can be reached: {done.stderr.strip()[:200]}")


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("swap", ["overlap", "replace"])
def test_changed_requirements_take_over_and_wrong_ones_do_not(
    serve: Serve, model: Path, cache: dict[str, str], tmp_path: Path, swap: str
) -> None:
    require(model, "tiny==1.0\n")
    served = serve("--config", config(tmp_path, model, swap=swap), env=cache)
    assert answer(served) == (200, "1.0 True []")

    with asking(served) as answers:
        require(model, "tiny==7\n")
        served.process.send_signal(signal.SIGHUP)
        until(lambda: "there is no version of tiny==7" in served.err)
        until(lambda: "configuration read again" in served.err)
    assert set(answers) == {(200, "1.0 True []")}
    assert answer(served) == (200, "1.0 True []")

    with asking(served) as answers:
        require(model, "tiny==2.0\n")
        served.process.send_signal(signal.SIGHUP)
        until(lambda: answer(served) == (200, "2.0 True []"))
    assert {code for code, _ in answers} == {200}


@pytest.mark.usefixtures("index")
def test_it_is_there_at_the_next_start(serve: Serve, model: Path, cache: dict[str, str]) -> None:
    require(model, "tiny==1.0\n")
    first = serve(model, "--python", "uv", env=cache)
    assert answer(first) == (200, "1.0 True []")
    first.stop()
    second = serve(model, "--python", "uv", env={**cache, "UV_OFFLINE": "1"})
    assert answer(second) == (200, "1.0 True []")
    assert "building an environment" in first.err
    assert "building an environment" not in second.err


@pytest.mark.usefixtures("index")
def test_a_lazy_model_is_built_at_its_first_request(
    serve: Serve, model: Path, cache: dict[str, str], tmp_path: Path
) -> None:
    require(model, "tiny==2.0\n")
    served = serve("--config", config(tmp_path, model, lazy=True), env=cache, wait=False)
    served.wait_answering("/livez")
    assert "building an environment" not in served.err
    assert answer(served) == (200, "2.0 True []")


def test_a_model_whose_environment_fails_says_why(
    serve: Serve, model: Path, cache: dict[str, str], tmp_path: Path
) -> None:
    require(model, "tiny==7\n")
    offline = {**cache, "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}
    served = serve(model, "--python", "uv", env=offline, wait=False)
    served.wait_answering("/livez")
    until(lambda: "there is no version of tiny==7" in served.client.get("/health/").text)
    code, text = answer(served)
    assert (code, "could not be built" in text) == (503, True)
    assert served.err.count("building an environment") == 1


def test_a_server_that_is_told_to_stop_does_not_wait_for_a_build(
    serve: Serve, model: Path, cache: dict[str, str], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    (model / "slow").mkdir()
    lines = ["import time", "def build_wheel(*args, **kwargs):"]
    lines += [f"    open({str(mark)!r}, 'w').close()", "    time.sleep(60)"]
    (model / "slow" / "backend.py").write_text("\n".join(lines))
    (model / "slow" / "pyproject.toml").write_text(SLOW_PROJECT)
    require(model, "./slow\n")
    offline = {**cache, "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}
    served = serve(model, "--python", "uv", env=offline, wait=False)
    until(mark.exists)
    started = time.monotonic()
    served.stop()
    assert time.monotonic() - started < 10


def test_other_changes_go_on_while_an_environment_is_built(
    serve: Serve, model: Path, cache: dict[str, str], tmp_path: Path
) -> None:
    """The build waits until it is told to go on, and then fails: nobody else waits for it."""
    mark, go = tmp_path / "mark", tmp_path / "go"
    slow = tmp_path / "slow"
    slow.mkdir()
    lines = ["import os, time", "def build_wheel(*args, **kwargs):"]
    lines += [
        f"    open({str(mark)!r}, 'w').close()",
        f"    while not os.path.exists({str(go)!r}):",
    ]
    lines += ["        time.sleep(0.05)", "    raise RuntimeError('told to fail')"]
    (slow / "backend.py").write_text("\n".join(lines))
    (slow / "pyproject.toml").write_text(SLOW_PROJECT)
    require(model, f"slow @ {slow.as_uri()}\n")
    plain = tmp_path / "plain"
    shutil.copytree(model, plain)
    (plain / "custom.py").write_text(TELLS.replace(", tiny", "").replace("{tiny.__version__}", ""))
    settings = {
        "models": {"first": str(plain)},
        "admin": {"enabled": True, "roots": [str(tmp_path)]},
        "store": {"path": str(tmp_path / "store"), "desired": str(tmp_path / "desired.json")},
    }
    path = tmp_path / "polyhost.yaml"
    path.write_text(json.dumps(settings))
    offline = {**cache, "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}
    served = serve("--config", path, env=offline)
    client = served.client

    def put(name: str, folder: Path, **more: Any) -> Any:
        return client.put(f"/admin/models/{name}", json={"source": str(folder), **more})

    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(put, "m", model, settings={"env": "uv"})
        until(mark.exists)
        assert put("other", plain).status_code == 200
        assert client.post("/admin/models/other/scale", json={"replicas": 2}).status_code == 200
        settings["models"]["second"] = str(plain)
        path.write_text(json.dumps(settings))
        assert "second" in {*client.post("/admin/reload").json()["loaded"], *answering(served)}
        until(lambda: "second" in answering(served))
        assert client.delete("/admin/models/other").status_code == 200
        assert not building.done()
        go.touch()
        failed = building.result()
    assert failed.status_code >= 400
    assert "told to fail" in failed.json()["error"]
    assert set(answering(served)) == {"first", "second"}


def answering(served: Served) -> list[str]:
    """Names of the models that are ready."""
    models = served.client.get("/admin/models").json()["models"]
    return [model["name"] for model in models if model["state"] == "ready"]


MAKE = """
import json, pickle, sys
import numpy as np
import sklearn
from sklearn.ensemble import GradientBoostingRegressor

rows = np.array(json.loads(sys.argv[2]))
rng = np.random.default_rng(1)
inputs = rng.normal(size=(200, 3))
model = GradientBoostingRegressor(n_estimators=20, random_state=1)
model.fit(inputs, inputs[:, 0] + inputs[:, 1] * inputs[:, 2])
with open(sys.argv[1], "wb") as file:
    pickle.dump(model, file)
print(json.dumps([sklearn.__version__, model.predict(rows).tolist()]))
"""
ROWS = [[float(cell) for cell in line.split(",")] for line in CSV.splitlines()[1:]]
OLD = "scikit-learn==1.2.2\nnumpy<2\n"


@pytest.mark.usefixtures("index")
def test_a_pickle_of_an_older_scikit_learn_predicts_as_it_did_there(
    serve: Serve, tmp_path: Path
) -> None:
    if sys.version_info >= (3, 12):
        pytest.skip("scikit-learn 1.2.2 has no wheels for Python 3.12 and later")
    folder = tmp_path / "m"
    folder.mkdir()
    require(folder, OLD)
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache"), **installer_variables()}
    own = Environments(tmp_path / "cache" / "polyhost" / "environments").get(folder)
    made = run(own.python, "-c", MAKE, str(folder / "model.pkl"), json.dumps(ROWS))
    own.release()
    version, expected = json.loads(made)
    assert version == "1.2.2"
    served = serve(folder, "--python", "uv", "--target-type", "regression", env=cache)
    reply = served.post("/predict/", CSV)
    assert reply.status_code == 200, reply.text
    assert reply.json()["predictions"] == pytest.approx(expected, rel=0, abs=1e-10)
    assert "building an environment" not in served.err
    assert "InconsistentVersionWarning" not in served.err
    with pytest.raises(RuntimeUnavailable, match="_gb_losses"):  # gone from newer ones
        polyhost.load(folder, target_type="regression")


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_program_loads_a_model_in_its_own_environment(
    model: Path, cache: dict[str, str], monkeypatch: pytest.MonkeyPatch, index: None
) -> None:
    require(model, "tiny==1.0\n")
    for name, value in cache.items():
        monkeypatch.setenv(name, value)
    with polyhost.load(model, python="uv") as loaded:
        assert loaded.answer("x").body == "1.0 True []"
    require(model, "tiny==7\n")
    with pytest.raises(EnvironmentFailed, match="there is no version of tiny==7"):
        polyhost.load(model, python="uv")


TORCH = """
import json, sys, torch
torch.manual_seed(1)
network = torch.nn.Sequential(
    torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
)
torch.save(network, sys.argv[1])
with torch.no_grad():
    print(json.dumps(network.eval()(torch.tensor(json.loads(sys.argv[2])))[:, 0].tolist()))
"""


def test_pytorch_under_debians_own_interpreter(serve: Serve, tmp_path: Path) -> None:
    probe = [DEBIAN, "-c", "import torch"]
    if not Path(DEBIAN).exists() or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip(f"{DEBIAN} has no torch; make test-torch installs it")
    folder = tmp_path / "net"
    folder.mkdir()
    expected = json.loads(run(DEBIAN, "-c", TORCH, str(folder / "model.pth"), json.dumps(ROWS)))
    served = serve(folder, "--python", DEBIAN, "--target-type", "regression")
    reply = served.post("/predict/", CSV)
    assert reply.status_code == 200, reply.text
    assert reply.json()["predictions"] == pytest.approx(expected, rel=1e-6)
