"""Metrics, logs and stacks of a server, as an operator meets them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.command import ROOT, Command
from support.served import Served

from polyhost.cli.top import Samples, parse

Serve = Callable[..., Served]
Model = Callable[..., Path]
REGRESSION = ["--target-type", "regression"]
CSV = "a\n1\n2\n"

TALKS = """
import ctypes
import pandas as pd

def load_model(code_dir):
    print("loading")
    return 1

def score(data, model, **kwargs):
    print("scoring", data["a"][0], end="")
    if data["a"][0] == 666:
        stubborn(lambda: None)
    if data["a"][0] == 667:
        stubborn(lambda: ctypes.PyDLL(None).sleep(60))  # holds the interpreter
    return pd.DataFrame({"Predictions": data["a"].astype(float)})

def stubborn(work):
    while True:
        try:
            while True:
                work()
        except BaseException:
            continue
"""


def metrics(served: Served) -> Samples:
    return parse(served.client.get("/metrics").text)


def eventually(look: Callable[[], Any], expected: Any) -> None:
    """Workers report once a second."""
    until = time.monotonic() + 30
    while (found := look()) != expected and time.monotonic() < until:
        time.sleep(0.1)
    assert found == expected


def lines(served: Served, **wanted: Any) -> list[dict[str, Any]]:
    """Log lines of the server that have these members."""
    found = [json.loads(line) for line in served.err.splitlines()]
    return [line for line in found if wanted.items() <= line.items()]


def test_requests_are_counted_by_what_became_of_them(serve: Serve, model: Model) -> None:
    served = serve(f"talks={model(TALKS)}", *REGRESSION)
    for body in (CSV, CSV, "a\n"):
        served.post("/predict/", body)
    served.client.get("/ping")
    found = metrics(served)
    total = found["polyhost_requests_total"]
    assert {labels["code"]: value for labels, value in total}["200"] == 2
    assert sum(value for _, value in total) == 3
    assert {(labels["model"], labels["protocol"]) for labels, _ in total} == {("talks", "drum")}
    ((labels, succeeded),) = found["model_infer_request_success_total"]
    assert (labels.keys(), labels["model"], succeeded) == ({"model", "version"}, "talks", 2)
    assert found["model_infer_request_failure_total"] == [(labels, 1)]
    assert found["polyhost_model_ready"] == [({"model": "talks", "language": "python"}, 1)]
    assert found["polyhost_in_progress"] == [({"model": "talks"}, 0)]
    assert found["request_predict_seconds_count"] == [({"model_name": "talks"}, 3)]
    assert found["polyhost_worker_pss_bytes"][0][1] > 1e6
    assert found["polyhost_host_pss_bytes"][0][1] > 1e6
    eventually(lambda: metrics(served)["polyhost_rows_total"], [({"model": "talks"}, 4)])
    eventually(lambda: metrics(served)["polyhost_batch_size_count"], [({"model": "talks"}, 3)])


def test_openmetrics_for_those_who_ask(serve: Serve, model: Model) -> None:
    served = serve(model(TALKS), *REGRESSION)
    reply = served.client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert reply.text.endswith("# EOF\n")
    plain = served.client.get("/metrics")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_paths_and_models_that_are_unknown_make_no_series(serve: Serve, model: Model) -> None:
    served = serve(model(TALKS), *REGRESSION)
    before = served.client.get("/metrics").text.count("\n")
    for path in ("/models/nobody/predict/", "/nothing", "/metrics/x"):
        assert served.post(path, CSV).status_code == 404
    after = served.client.get("/metrics").text
    assert after.count("\n") == before
    assert "nobody" not in after


def test_json_log_names_the_request_in_every_line_about_it(serve: Serve, model: Model) -> None:
    served = serve(f"talks={model(TALKS)}", *REGRESSION, "--log-format", "json", "--access-log")

    def ask(number: int) -> None:
        headers = {"Content-Type": "text/csv", "X-Request-Id": f"id-{number}"}
        served.client.post("/predict/", content=f"a\n{number}\n", headers=headers)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(40)))
    eventually(lambda: len(lines(served, logger="polyhost.guest")), 41)
    printed = {
        line["request_id"]: line["message"]
        for line in lines(served, logger="polyhost.guest", stream="stdout", model="talks")
        if line["message"] != "loading"
    }
    assert printed == {f"id-{number}": f"scoring {number}" for number in range(40)}
    (loading,) = lines(served, message="loading")
    assert "request_id" not in loading
    access = lines(served, logger="polyhost.access", status=200, model="talks")
    assert {line["request_id"] for line in access} == set(printed)


def test_no_access_log_unless_asked_for(serve: Serve, model: Model) -> None:
    served = serve(model(TALKS), *REGRESSION)
    served.post("/predict/", CSV)
    assert "POST" not in served.err


@pytest.mark.parametrize("order", [666, 667], ids=["python", "compiled"])
def test_a_hung_workers_stacks_are_in_the_log(serve: Serve, model: Model, order: int) -> None:
    served = serve(model(TALKS), *REGRESSION, "--deadline", "0.5")
    assert served.post("/predict/", f"a\n{order}\n").status_code == 504
    served.wait_answering()
    eventually(lambda: "in stubborn" in served.err and "in score" in served.err, True)
    assert "hangs: its stacks follow" in served.err
    eventually(lambda: metrics(served)["polyhost_worker_restarts_total"][0][1], 1)


def test_a_load_that_never_ends_is_in_the_log(serve: Serve, model: Model) -> None:
    folder = model("def load_model(code_dir):\n    while True:\n        pass\n")
    served = serve(folder, *REGRESSION, "--load-timeout", "2", wait=False)
    eventually(lambda: "in load_model" in served.err, True)
    served.wait_answering(status=503)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        pytest.param("java", "Custom.score(Custom.java:", marks=pytest.mark.runtime("java")),
        pytest.param("r", "R was interrupted in score:", marks=pytest.mark.runtime("r")),
    ],
)
def test_the_stacks_of_other_runtimes_are_in_the_log(
    serve: Serve, tmp_path: Path, language: str, told: str
) -> None:
    folder = tmp_path / "hangs"
    shutil.copytree(ROOT / "tests" / "models" / "hangs_in_score" / language, folder)
    served = serve(folder, *REGRESSION, "--deadline", "0.5")
    assert served.post("/predict/", "a,b\n666,1\n").status_code == 504
    eventually(lambda: told in served.err, True)


def test_top_shows_the_models(serve: Serve, model: Model, polyhost: Command) -> None:
    served = serve(f"talks={model(TALKS)}", *REGRESSION)
    url = f"http://127.0.0.1:{served.port}"
    done = polyhost("top", "--once", "--interval", "0.2", "--url", url)
    assert (done.code, done.err) == (0, "")
    title, _, headings, row = done.out.splitlines()
    assert title.startswith(f"{url}/metrics  0.0 requests/s  host ")
    assert headings.split()[:3] == ["MODEL", "STATE", "WORKERS"]
    assert row.split()[:3] == ["talks", "ready", "1/1"]


COUNTS = """
import pandas as pd
from polyhost.worker import counters

def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    for city in data["city"]:
        if city not in ("Rome", "Bern"):
            counters.count("unknown_levels", column="city")
    return pd.DataFrame({"Predictions": [1.0] * len(data)})
"""


def test_what_a_bridge_counts_is_a_metric_with_its_labels(serve: Serve, model: Model) -> None:
    served = serve(f"towns={model(COUNTS)}", *REGRESSION)
    for body in ("city\nRome\nOslo\n", "city\nKiel\nOslo\nBern\n"):
        assert served.post("/predict/", body).status_code == 200
    eventually(
        lambda: metrics(served).get("polyhost_unknown_levels_total"),
        [({"model": "towns", "column": "city"}, 3.0)],
    )
