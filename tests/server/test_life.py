"""Models that come, change and go while requests are served: admin API, reload, lazy loading."""

from __future__ import annotations

import io
import json
import signal
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.served import Served

Serve = Callable[..., Served]
Model = Callable[..., Path]
CSV = "a\n1\n2\n"
REGRESSION = "name: m\ntype: inference\ntargetType: regression\n"


def times(factor: float, extra: str = "") -> str:
    return f"""
{extra}
import pandas as pd
def load_model(code_dir):
    return {factor}
def score(data, model, **kwargs):
    return pd.DataFrame({{"Predictions": data["a"] * model}})
"""


def config(tmp_path: Path, models: dict[str, Any], **server: Any) -> Path:
    path = tmp_path / "polyhost.yaml"
    # JSON is YAML. A new file replaces the old in one step, as an editor does.
    new = tmp_path / "polyhost.yaml.new"
    new.write_text(json.dumps({"models": models, **server}), encoding="utf-8")
    new.replace(path)
    return path


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while not done() and time.monotonic() < limit:
        time.sleep(0.05)
    assert done()


def predictions(served: Served, name: str) -> Any:
    reply = served.post(f"/models/{name}/predict/", CSV)
    return reply.json()["predictions"] if reply.status_code == 200 else reply.status_code


@contextmanager
def asking(served: Served, path: str) -> Iterator[list[int]]:
    """Requests without a pause from another thread, their statuses collected."""
    codes: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            codes.append(served.post(path, CSV).status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield codes
    finally:
        stop.set()
        thread.join()


class AdminApi:
    def __init__(self, served: Served) -> None:
        self.served = served

    def __call__(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return self.served.client.request(method, f"/admin/{path}", json=body)


@pytest.fixture
def admin(serve: Serve, model: Model, tmp_path: Path) -> Callable[[], AdminApi]:
    """Starts a server with one configured model, the admin API on, and a store of its own."""
    model(times(1), "first", REGRESSION)

    def start() -> AdminApi:
        path = config(
            tmp_path,
            {"first": {"path": str(tmp_path / "first")}},
            admin={"enabled": True, "roots": [str(tmp_path)]},
            store={"path": str(tmp_path / "store"), "desired": str(tmp_path / "desired.json")},
        )
        return AdminApi(serve("--config", path))

    return start


def archive(path: Path, custom: str) -> Path:
    """A model's archive, put there in one step."""
    new = path.with_suffix(".new")
    with tarfile.open(new, "w") as tar:
        for name, text in (("custom.py", custom), ("model-metadata.yaml", REGRESSION)):
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    new.replace(path)
    return path


@pytest.mark.parametrize("way", ["admin", "reload"])
def test_replaced_versions_are_let_go(serve: Serve, tmp_path: Path, way: str) -> None:
    """Their descriptors are closed, and the store may collect them: it has room for a few."""
    source = archive(tmp_path / "m.tar", times(1))
    size = len(times(1)) + len(REGRESSION)
    path = config(
        tmp_path,
        {"m": str(source)} if way == "reload" else {},
        admin={"enabled": True, "roots": [str(tmp_path)]},
        store={"path": str(tmp_path / "store"), "quota": 4 * size},
    )
    api = AdminApi(serve("--config", path, wait=way == "reload"))
    api.served.wait_answering("/livez")
    open_at_first = 0
    for factor in range(2, 10):
        archive(source, times(factor))
        if way == "reload":
            reply = api("POST", "reload")
            assert reply.json()["loaded"] == ["m"]
        else:
            reply = api("PUT", "models/m", {"source": str(source)})
        assert reply.status_code == 200, reply.text
        assert predictions(api.served, "m") == [factor * 1.0, factor * 2.0]
        open_at_first = open_at_first or api.served.descriptors()
    archive(source, "this is no Python")
    if way == "reload":
        assert "m" in api("POST", "reload").json()["failed"]
        api("POST", "reload")
    else:
        assert api("PUT", "models/m", {"source": str(source)}).status_code == 400
    assert predictions(api.served, "m") == [9.0, 18.0]
    kept = {entry.name for entry in (tmp_path / "store" / "versions" / "m").iterdir()}
    assert len(kept) <= 4
    assert api.served.descriptors() <= open_at_first + (2 if way == "reload" else 0)


def test_the_admin_api_is_off_unless_enabled(serve: Serve, model: Model) -> None:
    served = serve(model(times(1), "m", REGRESSION))
    assert served.client.get("/admin/models").status_code == 404


def test_load_replace_scale_and_unload(
    admin: Callable[[], AdminApi], model: Model, tmp_path: Path
) -> None:
    api = admin()
    folder = model(times(10), "other", REGRESSION)
    reply = api("PUT", "models/other", {"source": str(folder)})
    assert (reply.status_code, reply.json()["state"]) == (200, "ready")
    assert predictions(api.served, "other") == [10.0, 20.0]
    assert predictions(api.served, "first") == [1.0, 2.0]

    (folder / "custom.py").write_text(times(100), encoding="utf-8")
    assert predictions(api.served, "other") == [10.0, 20.0]  # the store has its own copy
    with asking(api.served, "/models/other/predict/") as codes:
        reply = api("PUT", "models/other", {"source": str(folder), "version": "2"})
        assert (reply.status_code, reply.json()["version"]) == (200, "2")
        assert predictions(api.served, "other") == [100.0, 200.0]
    assert set(codes) == {200}

    reply = api("POST", "models/other/scale", {"replicas": 2})
    assert reply.json()["ready"] == 2
    assert len(set(api("GET", "models/other").json()["pids"])) == 2

    assert api("DELETE", "models/other").status_code == 200
    assert predictions(api.served, "other") == 404
    assert api("GET", "models/other").status_code == 404


def test_a_version_that_fails_leaves_the_one_before(
    admin: Callable[[], AdminApi], model: Model
) -> None:
    api = admin()
    folder = model(times(10), "other", REGRESSION)
    api("PUT", "models/other", {"source": str(folder)})
    (folder / "custom.py").write_text(times(1, "raise ImportError('broken')"), encoding="utf-8")
    reply = api("PUT", "models/other", {"source": str(folder)})
    assert reply.status_code in (400, 500)
    assert "broken" in reply.json()["error"]
    assert predictions(api.served, "other") == [10.0, 20.0]


def test_a_version_must_answer_its_own_example(admin: Callable[[], AdminApi], model: Model) -> None:
    api = admin()
    folder = model(times(10), "other", REGRESSION)
    (folder / "example.csv").write_text("wrong\n1\n", encoding="utf-8")
    reply = api("PUT", "models/other", {"source": str(folder)})
    assert reply.status_code == 500
    assert "example.csv" in reply.json()["error"]
    assert predictions(api.served, "other") == 404


def test_what_was_deployed_is_there_after_a_restart(
    admin: Callable[[], AdminApi], model: Model, tmp_path: Path
) -> None:
    api = admin()
    folder = model(times(10), "other", REGRESSION)
    api("PUT", "models/other", {"source": str(folder), "replicas": 2})
    api.served.stop()
    (folder / "custom.py").unlink()
    again = admin()
    until(lambda: predictions(again.served, "other") == [10.0, 20.0])
    assert again("GET", "models/other").json()["replicas"] == 2


@pytest.mark.parametrize(
    ("name", "body", "status", "word"),
    [
        ("first", {"source": "x"}, 400, "belongs to the configuration"),
        ("new", {"source": "/etc"}, 400, "may not be loaded"),
        ("new", {"source": "../../etc"}, 400, "may not be loaded"),
        ("new", {}, 400, "source"),
        ("new", {"source": "x", "surprise": 1}, 400, "surprise"),
        ("..", {"source": "x"}, 404, ""),
    ],
)
def test_what_the_admin_api_refuses(
    admin: Callable[[], AdminApi], name: str, body: Any, status: int, word: str
) -> None:
    reply = admin()("PUT", f"models/{name}", body)
    assert reply.status_code == status
    assert word in reply.text


def test_links_out_of_the_roots_are_refused(
    serve: Serve, model: Model, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "custom.py").write_text(times(1), encoding="utf-8")
    model(times(1), "first", REGRESSION)
    (tmp_path / "link").symlink_to(outside)
    path = config(
        tmp_path,
        {"first": {"path": str(tmp_path / "first")}},
        admin={"enabled": True, "roots": [str(tmp_path)]},
        store={"path": str(tmp_path / "store")},
    )
    reply = AdminApi(serve("--config", path))(
        "PUT", "models/out", {"source": str(tmp_path / "link")}
    )
    assert (reply.status_code, "may not be loaded" in reply.text) == (400, True)


@pytest.mark.parametrize("how", ["file", "signal"])
def test_a_changed_configuration_drops_no_request(
    serve: Serve, model: Model, tmp_path: Path, how: str
) -> None:
    one, two = model(times(1), "one", REGRESSION), model(times(2), "two", REGRESSION)
    served = serve("--config", config(tmp_path, {"m": {"path": str(one)}, "n": {"path": str(one)}}))
    with asking(served, "/models/m/predict/") as codes:
        config(tmp_path, {"m": {"path": str(two)}, "o": {"path": str(one)}})
        if how == "signal":
            served.process.send_signal(signal.SIGHUP)
        until(lambda: predictions(served, "m") == [2.0, 4.0])
        until(lambda: predictions(served, "o") == [1.0, 2.0])
        until(lambda: predictions(served, "n") == 404)
    assert set(codes) == {200}


def test_a_mistaken_configuration_changes_nothing(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    one = model(times(1), "one", REGRESSION)
    served = serve("--config", config(tmp_path, {"m": {"path": str(one)}}))
    config(tmp_path, {"m": {"path": str(one), "replicas": "many", "surprise": 1}})
    served.process.send_signal(signal.SIGHUP)
    until(lambda: "all but its keys stays as it is" in served.err)
    assert "replicas" in served.err
    assert "surprise" in served.err
    assert predictions(served, "m") == [1.0, 2.0]


def test_a_lazy_model_is_loaded_by_its_first_request(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    folder = model(times(3), "lazy", REGRESSION)
    path = config(tmp_path, {"lazy": {"path": str(folder), "lazy": True}})
    served = serve("--config", path, wait=False)
    served.wait_answering("/livez")
    assert served.client.get("/models/lazy/info/").json()["predictor"] is None
    assert predictions(served, "lazy") == [3.0, 6.0]


def test_idle_lazy_models_rest_under_a_memory_budget(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    models = {
        name: {"path": str(model(times(3), name, REGRESSION)), "lazy": True}
        for name in ("a", "b", "c")
    }
    path = config(
        tmp_path,
        models,
        limits={"memory": "1MiB"},
        admin={"enabled": True, "roots": [str(tmp_path)]},
        store={"path": str(tmp_path / "store")},
    )
    served = serve("--config", path, wait=False)
    served.wait_answering("/livez")
    api = AdminApi(served)
    for name in models:
        assert predictions(served, name) == [3.0, 6.0]

    def resting() -> bool:
        return all(m["state"] == "unloaded" for m in api("GET", "models").json()["models"])

    until(resting)
    assert predictions(served, "a") == [3.0, 6.0]


def test_replicas_share_the_work_and_spares_step_in(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    text = (
        times(1, "import os")
        + "    \ndef transform(data, model):\n    data['a'] = float(os.getpid())\n    return data\n"
    )
    folder = model(text, "m", REGRESSION)
    path = config(tmp_path, {"m": {"path": str(folder), "replicas": 2, "spares": 1}})
    served = serve("--config", path)
    body = b"a\n1\n"
    pids: set[float] = set()
    threads = [
        threading.Thread(
            target=lambda: pids.update(
                served.post("/models/m/predict/", body).json()["predictions"][0] for _ in range(20)
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 2


def test_devices_are_given_to_replicas_in_turn(serve: Serve, model: Model, tmp_path: Path) -> None:
    text = """
import os
def load_model(code_dir):
    return 1
def score_unstructured(model, data, **kwargs):
    import time
    time.sleep(0.2)
    return os.environ["CUDA_VISIBLE_DEVICES"]
"""
    folder = model(text, "m", REGRESSION.replace("regression", "unstructured"))
    path = config(tmp_path, {"m": {"path": str(folder), "replicas": 2, "devices": ["0", "1"]}})
    served = serve("--config", path)
    seen: set[str] = set()
    threads = [
        threading.Thread(
            target=lambda: seen.add(served.post("/models/m/predictUnstructured/", "x").text)
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"0", "1"}


def test_swap_replace_unloads_before_it_loads(serve: Serve, model: Model, tmp_path: Path) -> None:
    note = tmp_path / "notes"
    text = f"""
import atexit, os, pathlib
import pandas as pd
NOTE = pathlib.Path({str(note)!r})
def load_model(code_dir):
    with NOTE.open("a") as file:
        file.write(f"load {{os.getpid()}} alive {{[p for p in PIDS() if p != os.getpid()]}}\\n")
    return 1.0
def PIDS():
    found = [int(line.split()[1]) for line in NOTE.read_text().splitlines()] if NOTE.exists() else []
    return [pid for pid in found if os.path.exists(f"/proc/{{pid}}")]
def score(data, model, **kwargs):
    return pd.DataFrame({{"Predictions": data["a"] * model}})
"""
    folder = model(text, "m", REGRESSION)
    for swap in ("overlap", "replace"):
        note.unlink(missing_ok=True)
        path = config(tmp_path, {"m": {"path": str(folder), "swap": swap}})
        served = serve("--config", path)
        with asking(served, "/models/m/predict/") as codes:
            config(tmp_path, {"m": {"path": str(folder), "swap": swap, "version": "2"}})
            served.process.send_signal(signal.SIGHUP)
            until(lambda: len(note.read_text().splitlines()) == 2)
            time.sleep(0.3)
        assert set(codes) == {200}
        second = note.read_text().splitlines()[1]
        assert second.endswith("alive []") == (swap == "replace")
        served.stop()
