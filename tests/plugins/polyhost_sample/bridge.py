"""The bridge of the scripted language.

An artifact ``*.fake_model`` is JSON: ``load`` is an order (orders.py) that loading follows, ``row_wise`` lets
requests share a call. A row's column ``order`` holds orders, parted by blanks; its answer is ``a`` + ``adds`` (1),
or the number of rows of the call for ``rows``, or for ``variable`` what environment.py gave.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from polyhost.bridges.doctor import Finding
from polyhost.data.payload import Dictionary, Payload, Table
from polyhost.errors import ModelError
from polyhost.formats import csv
from polyhost.predictor import GuestInfo, HookContext, ModelSpec, Reply, Traits
from polyhost_sample.orders import follow


def open(spec: ModelSpec) -> FakeGuest:
    """Make the guest; its artifact is the script."""
    return FakeGuest(spec)


def doctor() -> list[Finding]:
    """Nothing can be missing."""
    return [Finding("the scripted language", True, os.environ.get("POLYHOST_FAKE", "no variable"))]


class FakeGuest:
    """A model that does what it is asked."""

    language = "fake"
    traits = Traits()
    hooks: frozenset[str] = frozenset()

    def __init__(self, spec: ModelSpec) -> None:
        self._script: dict[str, Any] = {}

    def run_init(self) -> None:
        raise NotImplementedError

    def run_load_model(self) -> bool:
        raise NotImplementedError

    def load_artifact(self, artifact: Path | None) -> None:
        assert artifact is not None
        self._script = json.loads(artifact.read_text(encoding="utf-8"))
        with _as_model_error("load_artifact"):
            for order in self._script.get("load", "answers").split():
                follow(order)

    def describe(self) -> GuestInfo:
        return GuestInfo(framework="script", row_wise=bool(self._script.get("row_wise")))

    def read(self, payload: Payload) -> Table:
        return csv.read_table(payload.body)

    def wrap(self, table: Table) -> Table:
        return table

    def unwrap(self, data: Table) -> Table:
        return data

    def rows(self, data: Table) -> int:
        return data.rows

    def hook(self, name: str, data: Any, context: HookContext) -> Any:
        raise NotImplementedError

    def predict(self, data: Table, context: HookContext) -> Table:
        columns = dict(data)
        answers = np.asarray(columns["a"], dtype=float) + self._script.get("adds", 1)
        orders = columns.get("order")
        if orders is not None:
            texts = orders.to_objects() if isinstance(orders, Dictionary) else orders
            with _as_model_error("predict"):
                for row, text in enumerate(texts):
                    answers[row] = _answer(str(text), answers[row], data.rows)
        return Table(("",), (answers,))

    def apply_transformer(self, data: Any, y: Any, context: HookContext) -> Table:
        raise NotImplementedError

    def unstructured(self, data: str | bytes, context: HookContext) -> Reply:
        raise NotImplementedError

    def interrupt(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is held."""


def _answer(orders: str, usual: float, rows: int) -> float:
    found = usual
    for order in orders.split():
        if order == "rows":
            found = float(rows)
        elif order == "variable":
            found = float(os.environ["POLYHOST_FAKE"])
        else:
            follow(order)
    return found


@contextmanager
def _as_model_error(hook: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise ModelError.in_hook(
            language="fake",
            hook=hook,
            native_type=type(error).__name__,
            native_message=str(error),
            native_traceback=traceback.format_exc(),
        ) from error
