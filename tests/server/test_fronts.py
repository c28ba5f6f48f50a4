"""Several processes on one port: no request is lost, whoever dies, and all is counted."""

from __future__ import annotations

import os
import re
import signal
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


def test_predictions_probes_documents_and_metrics(serve: Serve, model: Model) -> None:
    served = serve(model(TEXT), *REGRESSION, "--fronts", "2")
    assert len(fronts_of(served)) == 2
    assert set(flood(served, 1.0)) == {200}
    assert served.post("/predict/", CSV).json() == {"predictions": [1.0, 2.0]}
    assert served.post("/models/model/predict/", CSV).status_code == 200
    assert served.post("/predict/", "").status_code == 422
    assert served.client.get("/info/").json()["targetType"] == "regression"
    assert "/predict/" in served.client.get("/openapi.json").json()["paths"]
    assert served.client.get("/nowhere").status_code == 404
    assert served.client.post("/predict", content=CSV).status_code == 308
    time.sleep(1.5)
    counted = re.search(
        r"^model_infer_request_success_total\{.*\} (\d+)", served.client.get("/metrics").text, re.M
    )
    assert counted is not None
    assert int(counted[1]) > 2


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


def test_a_front_that_dies_is_replaced(serve: Serve, model: Model) -> None:
    served = serve(model(TEXT), *REGRESSION, "--fronts", "2")
    victim = fronts_of(served)[0]
    victim.kill()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        fronts = fronts_of(served)
        if len(fronts) == 2 and victim not in fronts:
            break
        time.sleep(0.1)
    assert len(fronts_of(served)) == 2
    time.sleep(0.5)
    assert set(flood(served, 1.0)) == {200}


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
