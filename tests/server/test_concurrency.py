"""Workers that answer several requests at once: streams side by side, and each its own fate."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.served import Served

CALLS = 4
MODEL = """
import os, pathlib, threading, time
import pandas as pd

together = threading.Barrier(4)
lock, running, most = threading.Lock(), 0, 0

def load_model(code_dir):
    return pathlib.Path(code_dir)

def score(data, model, **kwargs):
    order = data["order"][0]
    if order == "together":
        together.wait(20)
    if order == "exit":
        time.sleep(0.3)  # what runs beside it has begun
        os._exit(3)
    if order == "slow":
        time.sleep(0.6)
    return pd.DataFrame({"Predictions": data["a"] * 1.0})

def chunk(text):
    return {"object": "chat.completion.chunk", "choices": [{"delta": {"content": text}}]}

def chat(params, model):
    global running, most
    with lock:
        running += 1
        most = max(most, running)
    try:
        yield from words(params, model)
    finally:
        with lock:
            running -= 1
        if params.get("mark"):
            (model / params["mark"]).write_text("closed")

def words(params, model):
    order = params["order"]
    yield chunk("begun")
    if order == "together":
        together.wait(20)
    while order == "endless":
        time.sleep(0.01)
    if order == "stuck":
        time.sleep(600)
    while order == "talks":
        time.sleep(0.01)
        yield chunk("on and on")
    if order == "waits":
        while not (model / params["until"]).exists():
            time.sleep(0.01)
            yield chunk("")
    yield chunk(params["text"] * params.get("times", 1))
    yield chunk(f"{os.getpid()} {most}")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "custom.py").write_text(MODEL, encoding="utf-8")
    return folder


def words_of(reply: httpx.Response) -> list[str]:
    """The words of a whole stream; fails when it broke off."""
    assert reply.status_code == 200, reply.text
    events = [line.removeprefix("data: ") for line in reply.text.split("\n\n") if line]
    assert events.pop() == "[DONE]", events
    return [json.loads(event)["choices"][0]["delta"]["content"] for event in events]


def error_of(reply: httpx.Response) -> str:
    """What is told of a stream that broke off."""
    return str(json.loads(reply.text.split("\n\n")[-2].removeprefix("data: "))["error"]["message"])


@pytest.fixture
def ask(serve: Callable[..., Served], folder: Path) -> Iterator[Callable[..., list[Any]]]:
    """``ask(served, {...}, {...})``: replies to conversations that are asked at the same time."""
    with ThreadPoolExecutor(16) as pool:

        def ask(served: Served, *asked: dict[str, Any]) -> list[httpx.Response]:
            def one(params: dict[str, Any]) -> httpx.Response:
                body = {"messages": [{"role": "user", "content": "x"}], "text": "x", **params}
                return served.client.post("/v1/chat/completions", json=body)

            return list(pool.map(one, asked))

        yield ask


@pytest.fixture
def served(serve: Callable[..., Served], folder: Path) -> Served:
    return serve(
        folder,
        "--target-type=regression",
        f"--max-concurrency={CALLS}",
        "--deadline=2",
        "--verbose",
    )


@pytest.mark.parametrize(
    ("command", "flags", "env"),
    [
        pytest.param("serve", ["--max-concurrency=4"], {}, id="flag"),
        pytest.param("serve", ["--max-concurrency=4", "--fronts=2"], {}, id="fronts"),
        pytest.param("server", [], {"MAX_CONCURRENCY": "4"}, id="environment"),
    ],
)
def test_streams_run_side_by_side(serve, folder, ask, command, flags, env):
    model = [folder] if command == "serve" else ["--code-dir", folder]
    served = serve(*model, "--target-type=regression", *flags, command=command, env=env)
    large = {"order": "together", "text": "0123456789abcdef", "times": 1 << 16}
    replies = ask(served, *[large] * (2 * CALLS))
    found = [words_of(reply) for reply in replies]
    assert {words[0] for words in found} == {"begun"}
    assert {words[1] for words in found} == {"0123456789abcdef" * (1 << 16)}
    assert len({words[2].split()[0] for words in found}) == 1
    assert {int(words[2].split()[1]) for words in found} == {CALLS}
    csv = "a,order\n7,together\n"
    with ThreadPoolExecutor(CALLS) as pool:
        together = pool.map(lambda _: served.post("/predict/", csv), range(CALLS))
    assert [reply.json() for reply in together] == [{"predictions": [7.0]}] * CALLS


def test_one_at_a_time_unless_told_otherwise(serve, folder, ask):
    served = serve(folder, "--target-type=regression")
    replies = ask(served, *[{"order": "none"}] * 6)
    assert {words_of(reply)[2].split()[1] for reply in replies} == {"1"}


@pytest.mark.runtime("r")
def test_a_language_that_takes_one_call_is_served_one_by_one(serve, tmp_path):
    folder = tmp_path / "r"
    folder.mkdir()
    score = "function(data, model, ...) data.frame(Predictions = data$a * 2)"
    (folder / "custom.R").write_text(f"load_model <- function(d) 1\nscore <- {score}\n")
    served = serve(folder, "--target-type=regression", "--max-concurrency=4")
    assert "this r model takes no more than 1 at once" in served.err
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda a: served.post("/predict/", f"a\n{a}\n"), range(16)))
    assert [reply.json() for reply in replies] == [{"predictions": [2.0 * a]} for a in range(16)]


def test_only_the_late_one_is_interrupted(served, folder, ask):
    threading.Timer(3.0, (folder / "go").touch).start()
    endless, *others = ask(served, {"order": "endless"}, *[{"order": "waits", "until": "go"}] * 3)
    assert "deadline of 2 s" in error_of(endless)
    (first,) = {words_of(reply)[-1].split()[0] for reply in others}
    (again,) = ask(served, {"order": "none"})
    assert words_of(again)[-1].split()[0] == first


@pytest.mark.parametrize("fronts", [1, 2])
def test_one_that_cannot_be_interrupted_harms_no_other(serve, folder, ask, fronts):
    served = serve(
        folder,
        "--target-type=regression",
        "--max-concurrency=4",
        "--deadline=1",
        f"--fronts={fronts}",
    )
    threading.Timer(3.0, (folder / "go").touch).start()
    stuck, *others = ask(served, {"order": "stuck"}, *[{"order": "waits", "until": "go"}] * 3)
    assert "deadline of 1 s" in error_of(stuck)
    (first,) = {words_of(reply)[-1].split()[0] for reply in others}
    until = time.monotonic() + 20
    while words_of(*ask(served, {"order": "none"}))[-1].split()[0] == first:
        assert time.monotonic() < until, "the worker with the stuck call was not replaced"


def test_a_killer_is_found_among_those_that_ran_beside_it(served):
    def post(order: str) -> httpx.Response:
        return served.post("/predict/", f"a,order\n5,{order}\n")

    with ThreadPoolExecutor(CALLS) as pool:
        killer, *others = pool.map(post, ["exit", "slow", "slow", "slow"])
    assert killer.status_code == 500
    assert "exit status 3" in killer.json()["message"]
    assert [(r.status_code, r.json()) for r in others] == [(200, {"predictions": [5.0]})] * 3
    assert "twice" in post("exit").json()["message"]
    assert post("none").json() == {"predictions": [5.0]}


def test_a_client_that_leaves_ends_its_own_stream_only(served, folder, ask):
    body = {"messages": [{}], "order": "talks", "mark": "left", "text": ""}
    with served.client.stream("POST", "/v1/chat/completions", json=body) as leaving:
        next(leaving.iter_lines())
        with ThreadPoolExecutor(1) as pool:
            staying = pool.submit(ask, served, {"order": "waits", "until": "left"})
            leaving.close()
            (stayed,) = staying.result()
    assert words_of(stayed)[-2] == "x"
    assert (folder / "left").read_text() == "closed"
