"""Deadlines and what a hook raises, as a client and the model's own log see them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from support.served import Served

Serve = Callable[..., Served]
Model = Callable[..., Path]

OBEYS = """
import asyncio, time
import pandas as pd
class Own(BaseException):
    pass
RAISES = {"own": Own, "exit": SystemExit, "cancelled": asyncio.CancelledError,
          "generator": GeneratorExit, "keyboard": KeyboardInterrupt}
def load_model(code_dir):
    return 1
def score(data, model, **kwargs):
    order = data["order"][0]
    print("start", order, flush=True)
    if order == "sleep":
        time.sleep(60)
    if order == "stuck":
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass
    if order in RAISES:
        raise RAISES[order]("as asked")
    return pd.DataFrame({"Predictions": data["a"].astype(float)})
"""
STREAMS = """
import asyncio
def load_model(code_dir):
    return 1
def score_unstructured(model, data, **kwargs):
    def chunks():
        try:
            yield "x" * 100
            if data == "raise":
                raise asyncio.CancelledError("as asked")
            while data == "flood":
                yield "x" * 100_000
        finally:
            if data == "flood":
                raise GeneratorExit("as asked")
    return chunks()
"""


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.parametrize("word", ["sleep", "stuck"])
def test_a_late_request_is_run_once_and_what_waits_goes_on(
    serve: Serve, model: Model, word: str
) -> None:
    """``stuck`` cannot be interrupted: its worker is replaced."""
    served = serve(model(OBEYS), "--target-type", "regression", "--deadline", "1")
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(served.post, "/predict/", f"a,order\n1,{word}\n")
        until(lambda: f"start {word}" in served.out)
        behind = pool.submit(served.post, "/predict/", "a,order\n2,none\n")
        assert slow.result().status_code == 504
        assert behind.result().json() == {"predictions": [2.0]}
    assert served.out.count(f"start {word}") == 1


def test_what_a_hook_raises_is_500_and_no_workers_end(serve: Serve, model: Model) -> None:
    served = serve(model(OBEYS), "--target-type", "regression")
    before = {child.pid for child in psutil.Process(served.process.pid).children()}
    for word, kind in {
        "own": "Own",
        "exit": "SystemExit",
        "cancelled": "CancelledError",
        "generator": "GeneratorExit",
        "keyboard": "KeyboardInterrupt",
    }.items():
        reply = served.post("/predict/", f"a,order\n1,{word}\n")
        assert reply.status_code == 500
        assert f"model 'score' failed in python: {kind}: as asked at custom.py:22" in reply.text
        assert served.out.count(f"start {word}") == 1
    assert {child.pid for child in psutil.Process(served.process.pid).children()} == before


def test_what_a_hooks_generator_raises_ends_its_stream_alone(serve: Serve, model: Model) -> None:
    served = serve(model(STREAMS), "--target-type", "unstructured")
    before = {child.pid for child in psutil.Process(served.process.pid).children()}
    text = {"Content-Type": "text/plain"}
    for data in ("raise", "flood"):
        with served.client.stream(
            "POST", "/predictUnstructured/", content=data, headers=text
        ) as reply:
            assert next(reply.iter_raw()).startswith(b"x" * 100)
    assert served.post("/predictUnstructured/", "fine", "text/plain").text == "x" * 100
    assert {child.pid for child in psutil.Process(served.process.pid).children()} == before
