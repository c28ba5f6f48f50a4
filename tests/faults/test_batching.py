"""Requests that share calls of a model answer as if each were alone, whatever is among them."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from conformance.builtin import Made
from faults.conftest import LANGUAGES
from support.made_models import made_models
from support.served import Served

CLIENTS = 8
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE]-?\d+)?")

Body = tuple[str, str]
"""A request's content type and its body."""


class Batched:
    """A built-in model, which batches unless it is told not to, and its server."""

    def __init__(self, served: Served, made: Made) -> None:
        self.served = served
        header, *lines = made.input.read_text(encoding="utf-8").splitlines()
        self.names = [name.strip('"') for name in header.split(",")]
        cells = [line.split(",") for line in lines]
        whole = [i for i, row in enumerate(cells) if all(map(NUMBER.fullmatch, row))]
        self.rows = [[float(cell) for cell in cells[i]] for i in whole]
        self.expected = [made.expected[1][i][0] for i in whole]

    def ask(self, body: Body) -> tuple[int, Any]:
        reply = self.served.post("/predict/", body[1], body[0])
        return reply.status_code, reply.json()

    def shared(self) -> bool:
        """Whether some requests have shared a call: the host counts both."""
        text = self.served.client.get("/metrics").text
        found = dict(re.findall(r"^polyhost_batch_size_(count|sum)\{.*\} ([\d.]+)$", text, re.M))
        return bool(found) and float(found["count"]) < float(found["sum"])

    def split(self, *rows: int, kind: str = "application/json") -> Body:
        """Some rows, plainly."""
        data = [self.rows[i] for i in rows]
        return kind, json.dumps({"dataframe_split": {"columns": self.names, "data": data}})

    def bodies(self, row: int) -> Iterator[Body]:
        """Requests of all kinds about a row; some of them the model cannot answer."""
        names, cells = self.names, self.rows[row]
        yield self.split(row)
        yield self.split(row, kind="application/json; charset=UTF-8")
        yield self.split(row, (row + 1) % len(self.rows), (row + 2) % len(self.rows))
        yield from map(
            _json,
            (
                {"dataframe_records": [dict(zip(names, cells, strict=True))]},
                {"dataframe_split": {"columns": names[::-1], "data": [cells[::-1]]}},
                {"dataframe_split": {"columns": [*names, "more"], "data": [[*cells, "x"]]}},
                {"dataframe_split": {"columns": names[1:], "data": [cells[1:]]}},
                {"dataframe_split": {"columns": names, "data": [[*cells, 1]]}},
                {"dataframe_split": {"columns": names, "data": [cells]}, "params": {"x": row}},
            ),
        )
        yield "application/json", "{"
        yield "text/csv", ",".join(names) + "\n" + ",".join(map(str, cells)) + "\n"


def _json(value: object) -> Body:
    return "application/json", json.dumps(value)


@pytest.fixture(scope="module", params=LANGUAGES)
def batched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Batched]:
    """The language's own regression model behind a server."""
    folder = made_models(request.param, tmp_path_factory) / "regression"
    made = Made("regression", folder)
    served = Served.start(tmp_path_factory.mktemp("server"), made.model, *made.target_flags)
    yield Batched(served, made)
    served.stop()


def test_each_of_many_at_once_gets_its_own_answer(batched: Batched) -> None:
    rows = range(min(6, len(batched.rows)))
    bodies = [body for row in rows for body in batched.bodies(row)]
    alone = [batched.ask(body) for body in bodies]
    assert {status for status, _ in alone} > {200}
    assert not batched.shared()
    assert alone[0][1]["predictions"] == pytest.approx([batched.expected[0]], rel=1e-9, abs=1e-9)

    starting = threading.Barrier(CLIENTS)

    def client(number: int) -> list[tuple[int, tuple[int, Any]]]:
        order = np.random.default_rng(number).permutation(len(bodies)).tolist()
        starting.wait()
        return [(i, batched.ask(bodies[i])) for i in order]

    with ThreadPoolExecutor(CLIENTS) as pool:
        got = list(itertools.chain.from_iterable(pool.map(client, range(CLIENTS))))
    assert len(got) == CLIENTS * len(bodies)
    for i, (status, answer) in got:
        assert status == alone[i][0], answer
        if status == 200:
            # The last bits may differ with the number of rows in a call.
            expected = alone[i][1]["predictions"]
            assert answer["predictions"] == pytest.approx(expected, rel=1e-9, abs=1e-9)
        else:
            assert answer == alone[i][1]
    limit = time.monotonic() + 10
    while not batched.shared():
        assert time.monotonic() < limit, "no two requests shared a call"
        time.sleep(0.1)
