"""Workers that die, hang and flood, clients that leave, large bodies: with real kills."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from support.command import Command
from support.served import Served

Serve = Callable[..., Served]
Model = Callable[..., Path]
REGRESSION = ["--target-type", "regression"]
CSV = "a\n1\n2\n"

OBEYS = """
import ctypes, os, time
import pandas as pd

def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    for order in data.get("order", []):
        if order == "exit":
            os._exit(3)
        if order == "abort":
            os.abort()
        if order == "segfault":
            ctypes.string_at(0)
        if order == "hang":
            while True:
                pass
        if order == "sleep":
            time.sleep(0.5)
        if order == "fork":
            if os.fork() == 0:
                time.sleep(600)
        if order == "flood":
            for _ in range(200_000):
                print("x" * 100)
    return pd.DataFrame({"Predictions": data["a"].astype(float)})
"""


def order(word: str) -> str:
    return f"a,order\n1,{word}\n"


def workers_of(server: Served) -> list[psutil.Process]:
    """Worker processes: those that lead a group of their own."""
    children = psutil.Process(server.process.pid).children()
    return [child for child in children if os.getpgid(child.pid) == child.pid]


@pytest.mark.parametrize("word", ["exit", "abort", "segfault"])
def test_a_request_that_kills_gets_500_and_the_server_goes_on(
    serve: Serve, model: Model, word: str
) -> None:
    served = serve(model(OBEYS), *REGRESSION)
    reply = served.post("/predict/", order(word))
    assert reply.status_code == 500
    assert "the model's process ended" in reply.json()["message"]
    assert served.post("/predict/", CSV).json() == {"predictions": [1.0, 2.0]}


def test_a_hang_is_504_at_the_deadline_and_the_server_goes_on(serve: Serve, model: Model) -> None:
    served = serve(model(OBEYS), *REGRESSION, "--deadline", "1")
    reply = served.post("/predict/", order("hang"))
    assert reply.status_code == 504
    assert "deadline of 1 s" in reply.json()["message"]
    assert served.post("/predict/", CSV).json() == {"predictions": [1.0, 2.0]}


WAITS = """
import os, time
import pandas as pd
def load_model(code_dir):
    count = os.path.join(code_dir, "starts")
    with open(count, "a") as file:
        file.write("x")
    while os.path.getsize(count) > 1 and not os.path.exists(os.path.join(code_dir, "go")):
        time.sleep(0.02)
    return 1
def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["a"].astype(float)})
"""


def test_health_is_503_while_a_model_has_no_worker(serve: Serve, model: Model) -> None:
    metadata = "name: m\ntype: inference\ntargetType: regression\n"
    waits, other = model(WAITS, "waits", metadata), model(OBEYS, "other", metadata)
    served = serve(waits, other)
    for path in ("/health/", "/models/waits/health/"):
        assert served.client.get(path).status_code == 200
    starts = (waits / "starts").stat().st_size
    for worker in workers_of(served):
        worker.kill()
    until(lambda: (waits / "starts").stat().st_size > starts)
    for path in ("/health/", "/models/waits/health/"):
        reply = served.client.get(path)
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    (waits / "go").touch()
    until(lambda: served.client.get("/health/").status_code == 200)


UNSTRUCTURED = """
import time
def load_model(code_dir):
    return 1
def score_unstructured(model, data, **kwargs):
    print("began", flush=True)
    time.sleep(600)
"""


def test_a_kill_from_outside_is_503_where_nothing_may_be_tried_again(
    serve: Serve, model: Model
) -> None:
    served = serve(model(UNSTRUCTURED), "--target-type", "unstructured")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(served.post, "/predictUnstructured/", "x", "text/plain")
        until(lambda: "began" in served.out)
        for worker in workers_of(served):
            worker.kill()
        reply = asked.result()
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    assert "killed by SIGKILL" in reply.json()["message"]


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_no_request_is_lost_when_the_only_worker_is_killed(serve: Serve, model: Model) -> None:
    served = serve(model(OBEYS), *REGRESSION)
    stop = time.monotonic() + 3

    def ask(_: int) -> int:
        codes = []
        while time.monotonic() < stop:
            codes.append(served.post("/predict/", CSV).status_code)
            time.sleep(0.02)
        return sum(code != 200 for code in codes)

    def kill() -> None:
        for _ in range(3):
            time.sleep(0.7)
            for worker in workers_of(served):
                worker.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(4) as pool:
        failed = sum(pool.map(ask, range(4)))
    killer.join()
    assert failed == 0


def test_one_models_crashes_are_not_felt_by_another(serve: Serve, model: Model) -> None:
    metadata = "name: m\ntype: inference\ntargetType: regression\n"
    good, bad = model(OBEYS, "good", metadata), model(OBEYS, "bad", metadata)
    served = serve(good, f"other={bad}")
    with ThreadPoolExecutor(2) as pool:
        crashes = [
            pool.submit(served.post, "/models/other/predict/", order("abort")) for _ in range(3)
        ]
        fine = [served.post("/models/good/predict/", CSV).status_code for _ in range(30)]
        assert [crash.result().status_code for crash in crashes] == [500] * 3
    assert fine == [200] * 30
    assert served.post("/predict/", CSV).status_code == 404


def test_what_a_hook_forks_dies_with_its_worker(serve: Serve, model: Model) -> None:
    served = serve(model(OBEYS), *REGRESSION)
    assert served.post("/predict/", order("fork")).status_code == 200
    (worker,) = workers_of(served)
    (grandchild,) = worker.children()
    worker.kill()
    assert served.post("/predict/", CSV).status_code == 200
    psutil.wait_procs([grandchild], timeout=5)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_a_flood_of_output_harms_nobody(serve: Serve, model: Model) -> None:
    served = serve(model(OBEYS), *REGRESSION)
    assert served.post("/predict/", order("flood")).json() == {"predictions": [1.0]}
    assert "[model] " + "x" * 100 in served.out


def test_a_client_that_leaves_frees_its_place(serve: Serve, model: Model) -> None:
    served = serve(model(OBEYS), *REGRESSION)
    body = order("sleep").encode()
    head = (
        f"POST /predict/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", served.port)) as sock:
            sock.sendall(head + body)
    start = time.monotonic()
    assert served.post("/predict/", CSV).status_code == 200
    assert time.monotonic() - start < 20 * 0.5


def test_a_large_body_leaves_the_hosts_memory_flat(serve: Serve, model: Model) -> None:
    text = """
    import pandas as pd
    def load_model(code_dir):
        return 1
    def read_input_data(data):
        return pd.DataFrame({"size": [float(len(data))]})
    def score(data, model, **kwargs):
        return data
    """
    served = serve(model(text), *REGRESSION)
    host = psutil.Process(served.process.pid)
    served.post("/predict/", b"x" * (8 << 20))
    before = host.memory_info().rss
    size = 300 << 20

    def body():  # type: ignore[no-untyped-def]
        for _ in range(size >> 20):
            yield b"x" * (1 << 20)

    reply = served.client.post("/predict/", content=body(), headers={"Content-Type": "text/csv"})
    assert reply.json() == {"predictions": [float(size)]}
    assert host.memory_info().rss - before < 32 << 20


def test_a_large_answer_comes_whole(serve: Serve, model: Model) -> None:
    text = """
    import pandas as pd
    def load_model(code_dir):
        return 1
    def score(data, model, **kwargs):
        return pd.DataFrame({"Predictions": [float(i) for i in range(1_000_000)]})
    """
    folder = model(text)
    served = serve("--code-dir", folder, *REGRESSION, command="server")
    reply = served.post("/predict/", CSV)
    assert reply.json()["predictions"][::250_000] == [0.0, 250_000.0, 500_000.0, 750_000.0]


def test_a_streamed_answer_arrives_as_it_is_made_and_stops_with_its_client(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    text = f"""
    import pathlib, time
    def load_model(code_dir):
        return 1
    def score_unstructured(model, data, **kwargs):
        def chunks():
            try:
                for number in range(10_000):
                    time.sleep(0.01)
                    yield f"{{number}} "
            finally:
                pathlib.Path({str(tmp_path / "closed")!r}).touch()
        return chunks(), {{"mimetype": "text/plain"}}
    """
    served = serve(model(text), "--target-type", "unstructured")
    with served.client.stream("POST", "/predictUnstructured/", content="go") as reply:
        assert reply.status_code == 200
        start = next(reply.iter_raw())
        assert start.startswith(b"0 ")
    until = time.monotonic() + 10
    while not (tmp_path / "closed").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert (tmp_path / "closed").exists()


@pytest.mark.parametrize(
    ("number", "command"), [(signal.SIGTERM, "serve"), (signal.SIGINT, "server")]
)
def test_a_signal_drains_what_was_accepted(
    serve: Serve, model: Model, number: int, command: str
) -> None:
    folder = model(OBEYS)
    where = [folder] if command == "serve" else ["--code-dir", folder]
    served = serve(*where, *REGRESSION, command=command)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(served.post, "/predict/", order("sleep")) for _ in range(3)]
        time.sleep(0.25)
        served.process.send_signal(number)
        assert [reply.result().status_code for reply in asked] == [200, 200, 200]
    assert served.process.wait(20) == (0 if command == "serve" else 130)


def test_a_signal_ends_a_server_that_still_starts(serve: Serve, model: Model) -> None:
    """Its first process is the warm parent, which takes a while to import what it warms."""
    folder = model("import time\ndef load_model(code_dir):\n    time.sleep(60)\n")
    served = serve("--code-dir", folder, *REGRESSION, command="server", wait=False)
    host = psutil.Process(served.process.pid)
    until = time.monotonic() + 20
    while not host.children() and time.monotonic() < until:
        time.sleep(0.02)
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(20) == 130


def test_workers_end_with_a_host_that_is_killed(serve: Serve, model: Model) -> None:
    served = serve(model(OBEYS), *REGRESSION)
    family = psutil.Process(served.process.pid).children(recursive=True)
    assert workers_of(served)
    served.process.kill()
    served.process.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    for path in (served.folder / "tmp").iterdir():  # which the next host would remove
        shutil.rmtree(path)


def test_a_port_in_use_is_a_clear_error(serve: Serve, model: Model, polyhost: Command) -> None:
    folder = model(OBEYS)
    served = serve(folder, *REGRESSION)
    done = polyhost("serve", folder, *REGRESSION, "--port", served.port)
    assert done.code == 1
    assert f"cannot listen on 127.0.0.1:{served.port}" in done.err


def test_an_interpreter_without_numpy_is_a_clear_error(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    python = tmp_path / "bare" / "bin" / "python"
    served = serve(model(OBEYS), *REGRESSION, "--python", python, wait=False)
    served.wait_answering("/livez")
    until = time.monotonic() + 30
    message = ""
    while "numpy" not in message and time.monotonic() < until:
        message = served.client.get("/health/").json()["message"]
        time.sleep(0.1)
    assert f"{python} -m pip install numpy" in message


def test_another_interpreter_serves_without_an_install(serve: Serve, model: Model) -> None:
    """Debian's own Python has none of our packages: numpy and pandas come from its own."""
    other = "/usr/bin/python3"
    if subprocess.run([other, "-c", "import numpy"], capture_output=True, check=False).returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{other} has no numpy")
    text = """
    import sys
    def load_model(code_dir):
        return 1
    def score_unstructured(model, data, **kwargs):
        return sys.executable + " " + sys.prefix
    """
    served = serve(model(text), "--target-type", "unstructured", "--python", other)
    reply = served.post("/predictUnstructured/", "x", "text/plain")
    assert (reply.status_code, reply.text) == (200, "/usr/bin/python3 /usr")
