"""Several processes on one port: no request is lost, whoever dies, and all is counted."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from support.served import Served

Serve = Callable[..., Served]
Model = Callable[..., Path]
REGRESSION = ["--target-type", "regression"]
CSV = "a\n1\n2\n"
TEXT = """
import os, time
import pandas as pd
def load_model(code_dir):
    return 1
def score(data, model, **kwargs):
    if "order" in data and data["order"][0] == "exit":
        os._exit(3)
    if "order" in data and data["order"][0] == "hang":
        print("hanging", flush=True)
        time.sleep(1000)
    if "order" in data and data["order"][0] == "sleep":
        time.sleep(0.4)
    return pd.DataFrame({"Predictions": data["a"].astype(float)})
"""


def order(word: str) -> str:
    return f"a,order\n1,{word}\n"


def fronts_of(served: Served) -> list[psutil.Process]:
    """The processes that serve clients: those that the forker started."""
    for child in psutil.Process(served.process.pid).children():
        grandchildren = child.children()
        if len(grandchildren) >= 2 and "forkserver" not in " ".join(child.cmdline()):
            return grandchildren
    return []


def until(look: Callable[[], bool]) -> None:
    """Wait for what other processes do in their own time."""
    limit = time.monotonic() + 60
    while not look():
        assert time.monotonic() < limit
        time.sleep(0.05)


def counted(served: Served, name: str) -> float:
    """The sum of a metric's samples."""
    text = served.client.get("/metrics").text
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M))


def flood(served: Served, seconds: float, clients: int = 4) -> list[int]:
    """Statuses of requests from several clients, each on connections of its own."""
    codes: list[int] = []
    stop = time.monotonic() + seconds

    def ask() -> None:
        while time.monotonic() < stop:
            codes.append(served.post("/predict/", CSV).status_code)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


def test_predictions_probes_documents_and_metrics(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    deep = tmp_path / ("longer-than-the-address-of-a-local-socket-" * 3)
    deep.mkdir()
    served = serve(model(TEXT), *REGRESSION, "--fronts", "2", env={"TMPDIR": str(deep)})
    assert len(fronts_of(served)) == 2
    assert set(flood(served, 1.0)) == {200}
    assert served.post("/predict/", CSV).json() == {"predictions": [1.0, 2.0]}
    assert served.post("/models/model/predict/", CSV).status_code == 200
    assert served.post("/predict/", "").status_code == 422
    assert served.client.get("/info/").json()["targetType"] == "regression"
    assert "/predict/" in served.client.get("/openapi.json").json()["paths"]
    assert served.client.get("/nowhere").status_code == 404
    assert served.client.post("/predict", content=CSV).status_code == 308
    until(lambda: counted(served, "model_infer_request_success_total") > 2)


def test_a_killed_worker_loses_nothing(serve: Serve, model: Model) -> None:
    served = serve(model(TEXT), *REGRESSION, "--fronts", "2")

    def kill() -> None:
        for _ in range(2):
            time.sleep(0.7)
            for child in psutil.Process(served.process.pid).children():
                if os.getpgid(child.pid) == child.pid:
                    child.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    codes = flood(served, 2.5)
    killer.join()
    assert set(codes) == {200}


def test_deadly_and_hanging_requests_harm_only_themselves(serve: Serve, model: Model) -> None:
    served = serve(model(TEXT), *REGRESSION, "--fronts", "2", "--deadline", "1")
    statuses: dict[str, int] = {}

    def ask(word: str) -> None:
        statuses[word] = served.post("/predict/", order(word)).status_code

    threads = [threading.Thread(target=ask, args=(word,)) for word in ("exit", "hang")]
    for thread in threads:
        thread.start()
    codes = flood(served, 2.0, clients=2)
    for thread in threads:
        thread.join()
    assert statuses == {"exit": 500, "hang": 504}
    assert set(codes) == {200}


def test_a_full_queue_is_told_and_what_was_accepted_is_answered(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    config = tmp_path / "polyhost.yaml"
    config.write_text(
        f"fronts: 2\nmodels:\n  m:\n    path: {model(TEXT)}\n    target: regression\n"
        "    limits: {max_queue: 2}\n"
    )
    served = serve(config)
    with ThreadPoolExecutor(16) as pool:
        asked = pool.map(lambda _: served.post("/predict/", order("sleep")), range(16))
        replies = list(asked)
    assert {reply.status_code for reply in replies} == {200, 429}
    assert {r.headers.get("retry-after") for r in replies if r.status_code == 429} == {"1"}
    assert {r.text.strip() for r in replies if r.status_code == 200} == {'{"predictions":[1.0]}'}
    assert set(flood(served, 0.5)) == {200}


def test_fronts_killed_under_load_take_no_worker_with_them(serve: Serve, model: Model) -> None:
    served = serve(model(TEXT), *REGRESSION, "--fronts", "2")
    stop = threading.Event()
    codes: set[int] = set()

    def ask() -> None:
        while not stop.is_set():
            with contextlib.suppress(httpx.TransportError):  # those of the front that is killed
                codes.add(served.post("/predict/", CSV).status_code)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        victim = fronts_of(served)[0]
        victim.kill()
        until(lambda victim=victim: not victim.is_running() and len(fronts_of(served)) == 2)
    stop.set()
    for thread in threads:
        thread.join()
    assert codes == {200}
    assert counted(served, "polyhost_worker_restarts_total") == 0
    assert set(flood(served, 0.5)) == {200}


GATED = """
import os, time
import pandas as pd
def load_model(code_dir):
    return os.path.join(code_dir, "go")
def score(data, model, **kwargs):
    while not os.path.exists(model):
        time.sleep(0.01)
    return pd.DataFrame({"Predictions": data["a"].astype(float)})
"""


@pytest.mark.parametrize("fronts", [1, 2])
def test_the_queue_limit_is_the_same_with_one_front_and_with_two(
    serve: Serve, model: Model, tmp_path: Path, fronts: int
) -> None:
    folder = model(GATED)
    config = tmp_path / "polyhost.yaml"
    config.write_text(
        f"fronts: {fronts}\nmodels:\n  m:\n    path: {folder}\n    target: regression\n"
        "    limits: {max_queue: 5}\n"
    )
    served = serve(config)
    refused = threading.Semaphore(0)

    def ask(number: int) -> int:
        code = served.post("/predict/", CSV).status_code
        if code == 429:
            refused.release()
        return code

    most = 5 + 2 * fronts  # a worker holds one that runs and one that is next, of each front
    with ThreadPoolExecutor(24) as pool:
        replies = [pool.submit(ask, number) for number in range(24)]
        for _ in range(24 - most):
            assert refused.acquire(timeout=60)
        (folder / "go").touch()
        codes = [reply.result() for reply in replies]
    assert set(codes) == {200, 429}
    assert 5 + 2 <= codes.count(200) <= most


def test_connections_are_limited_for_all_fronts_together(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    config = tmp_path / "polyhost.yaml"
    config.write_text(
        f"fronts: 3\nlimits: {{max_connections: 5}}\nmodels:\n  m:\n    path: {model(TEXT)}\n"
        "    target: regression\n"
    )
    served = serve(config)
    until(lambda: served.client.get("/ping").status_code == 200)
    with contextlib.ExitStack() as stack:

        def connect() -> int:
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", served.port), 20))
            sock.sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return int(sock.recv(4096).split()[1])

        for _ in range(5):  # connections of the readiness check may still be ending
            until(lambda: connect() == 200)
        assert [connect() for _ in range(4)] == [503] * 4


def test_a_lazy_model_is_loaded_by_its_first_request(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    config = tmp_path / "polyhost.yaml"
    config.write_text(
        f"fronts: 2\nmodels:\n  m:\n    path: {model(TEXT)}\n    target: regression\n"
        "    lazy: true\n"
    )
    served = serve(config, wait=False)
    served.wait_answering("/livez")
    assert served.post("/predict/", CSV).json() == {"predictions": [1.0, 2.0]}
    assert set(flood(served, 0.5)) == {200}


def test_a_server_that_can_start_no_front_any_more_ends_with_an_error(
    serve: Serve, model: Model
) -> None:
    served = serve(model(TEXT), *REGRESSION, "--fronts", "2")
    parent = fronts_of(served)[0].parent()
    assert parent is not None
    parent.kill()
    served.exit_code = 1
    assert served.process.wait(60) == 1
    assert "the process that starts fronts has ended" in served.err


def test_a_call_that_a_dead_front_left_hanging_is_ended_by_the_deadline(
    serve: Serve, model: Model
) -> None:
    served = serve(model(TEXT), *REGRESSION, "--fronts", "2", "--deadline", "1")
    failed = threading.Event()

    def ask() -> None:
        with contextlib.suppress(httpx.TransportError):
            served.post("/predict/", order("hang"))
        failed.set()

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: "hanging" in served.out)
    for front in fronts_of(served):
        front.kill()
    assert failed.wait(60)
    thread.join()
    assert served.post("/predict/", CSV).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM])
def test_a_signal_drains_every_front(serve: Serve, model: Model, number: int) -> None:
    served = serve(model(TEXT), *REGRESSION, "--fronts", "2")
    replies: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: replies.append(served.post("/predict/", order("sleep"))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    served.process.send_signal(number)
    for thread in threads:
        thread.join()
    assert [reply.status_code for reply in replies] == [200] * 4
    assert served.process.wait(20) == 0


def test_a_new_version_takes_over_without_a_lost_request(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    metadata = "name: m\ntype: inference\ntargetType: regression\n"
    folder = model(TEXT, "m", metadata)
    config = tmp_path / "polyhost.yaml"
    config.write_text(f"fronts: 2\nmodels:\n  m:\n    path: {folder}\n", encoding="utf-8")
    served = serve("--config", config)
    result: list[int] = []
    flooding = threading.Thread(target=lambda: result.extend(flood(served, 4.0)))
    flooding.start()
    time.sleep(0.5)
    doubled = TEXT.replace('data["a"].astype(float)', 'data["a"].astype(float) * 2')
    (folder / "custom.py").write_text(doubled, encoding="utf-8")
    served.process.send_signal(signal.SIGHUP)
    flooding.join()
    assert set(result) == {200}
    assert served.post("/predict/", CSV).json() == {"predictions": [2.0, 4.0]}
