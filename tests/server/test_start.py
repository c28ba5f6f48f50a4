"""What a server reports while it starts, and when it lets clients in."""

from __future__ import annotations

import pickle
import shlex
import time

import httpx
import pytest
from sklearn.linear_model import LogisticRegression

HELD = """
import os, time

def load_model(code_dir):
    while not os.path.exists(os.path.join(code_dir, "go")):
        time.sleep(0.02)
    return 1

def score_unstructured(model, data, **kwargs):
    return data.upper()
"""
FAILS = HELD.replace("    return 1", "    raise ValueError('no such weights')")


AS_ROOT = "polyhost.host.user: running as root"


def folder_of(tmp_path, name, code, target="unstructured"):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "custom.py").write_text(code)
    (folder / "model-metadata.yaml").write_text(f"targetType: {target}\n")
    return folder


def eventually(check, within=120.0):
    until = time.monotonic() + within
    while not check():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("fronts", [1, 2])
def test_wait_lets_nobody_in_before_all_can_answer(serve, tmp_path, fronts):
    folder = folder_of(tmp_path, "slow", HELD)
    server = serve(folder, "--wait", "--fronts", fronts, wait=False)
    eventually(lambda: "listens on" in server.err)
    with pytest.raises((httpx.ConnectError, httpx.ReadTimeout)):
        server.client.get("/health/", timeout=0.5)
    (folder / "go").touch()
    # A client that connects meanwhile is answered without another try.
    eventually(lambda: "is ready after" in server.err)
    reply = server.post("/predictUnstructured/", "abc", "text/plain")
    assert (reply.status_code, reply.text) == (200, "ABC")


@pytest.mark.parametrize("fronts", [1, 2])
def test_wait_ends_with_1_when_a_model_cannot_be_loaded(serve, tmp_path, fronts):
    folder = folder_of(tmp_path, "broken", FAILS)
    (folder / "go").touch()
    server = serve(folder, "--wait", "--fronts", fronts, wait=False)
    assert server.process.wait(120) == 1
    assert server.err.count("no such weights") == 1, server.err
    assert "Traceback" not in server.err
    server.exit_code = 1


def test_a_start_is_reported_with_a_request_that_works(serve, tmp_path):
    folder = tmp_path / "two"
    folder.mkdir()
    import pandas as pd

    rows = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "it's": [1.0, 0.0, 1.0, 0.0]})
    model = LogisticRegression().fit(rows, ["no", "no", "yes", "yes"])
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    server = serve(folder)
    eventually(lambda: "try: " in server.err)
    lines = [line for line in server.err.splitlines() if AS_ROOT not in line]
    said = [line.partition(" INFO polyhost.serve: ")[2] for line in lines]
    assert f"listens on http://127.0.0.1:{server.port} with 1 model" in said[0]
    assert "target type binary and class labels yes, no taken from the artifact" in said[1]
    assert said[2].startswith("model two: version 1 is ready after ")
    assert said[2].endswith(" s (python, binary, 2 columns from the model)")
    curl, url, header, kind, data, body = shlex.split(said[3].removeprefix("try: "))
    assert (curl, header, kind, data) == ("curl", "-H", "Content-Type: application/json", "-d")
    reply = server.client.post(url, content=body, headers={"Content-Type": "application/json"})
    assert reply.text.startswith('{"predictions":[{'), reply.text
    assert len(lines) == 4


def test_a_client_that_asks_too_soon_is_no_warning(serve, tmp_path):
    folder = folder_of(tmp_path, "slow", HELD)
    server = serve(folder, wait=False)
    eventually(lambda: "listens on" in server.err)

    def refused():
        try:
            return server.post("/predictUnstructured/", "abc", "text/plain").status_code == 503
        except httpx.ConnectError:
            return False

    eventually(refused)
    (folder / "go").touch()
    eventually(lambda: "is ready after" in server.err)
    assert "WARNING" not in server.err.replace(f"WARNING {AS_ROOT}", "")
