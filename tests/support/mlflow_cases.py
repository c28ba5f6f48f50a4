"""Requests that MLflow's own server answered: what it said is in tests/specimens/mlflow/cases.json.

    PYTHONPATH=tests .setup/clients/mlflow/bin/python tests/support/mlflow_cases.py

asks MLflow again and writes that file; its test client needs httpx2 there. A case of ``OWN`` is one where its documents, or the rule that
no value changes silently, ask for another answer than MLflow gives; the answer there is ours.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from support.mlflow_models import columns, echo

FILE = Path(__file__).parents[1] / "specimens" / "mlflow" / "cases.json"
JSON = "application/json"
CSV = "text/csv"


ANSWERS = (
    *("frame", "holes", "series", "named", "array", "floats", "float32", "bools", "texts"),
    *("objects", "bytes", "byte_array", "list", "tuple", "dict", "scalar", "numpy_scalar", "text"),
    *("none", "time", "timestamp", "date", "seconds", "set", "generator", "odd"),
)
"""Values that the model can be asked to answer."""


def tensor(dtype: str, *shape: int, name: str | None = None) -> dict[str, Any]:
    entry = {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}}
    return entry if name is None else {**entry, "name": name}


ALL = columns(
    b="boolean", i="integer", l="long", f="float", d="double", s="string", y="binary", t="datetime"
)
NESTED = columns(
    a={"type": "array", "items": {"type": "long"}},
    o={
        "type": "object",
        "properties": {
            "k": {"type": "string", "required": True},
            "n": {"type": "double", "required": False},
        },
    },
    m={"type": "map", "values": {"type": "double"}},
)
SIGNATURES: dict[str, Any] = {
    "none": (None, None),
    "all": (ALL, None),
    "two": (columns(x="double", n="long"), None),
    "one": (columns(x="double"), None),
    "text": (columns(s="string"), None),
    "flag": (columns(b="boolean"), None),
    "int": (columns(i="integer"), None),
    "float": (columns(f="float"), None),
    "time": (columns(t="datetime"), None),
    "binary": (columns(y="binary"), None),
    "optional": ([*columns(x="double"), {"name": "o", "type": "string", "required": False}], None),
    "unnamed": ([{"type": "double"}, {"type": "double"}], None),
    "nested": (NESTED, None),
    "list": (columns(a={"type": "array", "items": {"type": "double"}}), None),
    "any": (columns(v={"type": "any"}), None),
    "tensor": ([tensor("float32", -1, 2)], None),
    "tensors": ([tensor("int64", -1, name="p"), tensor("float64", -1, 2, name="q")], None),
    "params": (
        columns(x="double"),
        [
            {"name": "k", "type": "long", "default": 3, "shape": None},
            {"name": "temperature", "type": "double", "default": 0.5, "shape": None},
            {"name": "method", "type": "string", "default": "predict", "shape": None},
            {"name": "on", "type": "boolean", "default": True, "shape": None},
            {"name": "stops", "type": "string", "default": ["a"], "shape": [-1]},
        ],
    ),
}


def split(names: list[Any] | None, *rows: list[Any], **others: Any) -> dict[str, Any]:
    found = {"data": list(rows), **({} if names is None else {"columns": names})}
    return {"dataframe_split": found, **others}


def records(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"dataframe_records": list(rows)}


def frame(name: str, dtype: str, *cells: Any) -> dict[str, Any]:
    """What the echo says of a frame with one column."""
    column = {"name": name, "dtype": dtype, "cells": list(cells)}
    return {"frame": [column], "index": list(range(len(cells)))}


TIME = "datetime64[ns]"
TEXT64 = base64.b64encode(b"\x00\xffhello").decode()
WHOLE = {
    "b": True,
    "i": 1,
    "l": 2,
    "f": 0.5,
    "d": 1.5,
    "s": "x",
    "y": TEXT64,
    "t": "2024-05-31T12:30:00",
}
X = {"x": 1.5}
CASES: list[tuple[str, str, Any]] = [
    ("none", JSON, split(["a", "b"], [1, "x"], [2, "y"])),
    ("none", JSON, split(["a"], [1], [None])),
    ("none", JSON, split(["a", "b"], [1.5, True], [2, False])),
    ("none", JSON, split(None, [1, 2], [3, 4])),
    ("none", JSON, split([0, 1], [1, 2], [3, 4])),
    ("none", JSON, {"dataframe_split": {"columns": ["a"], "index": [7, 9], "data": [[1], [2]]}}),
    ("none", JSON, {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}),
    ("none", JSON, {"dataframe_split": {"columns": ["a"]}}),
    ("none", JSON, {"dataframe_split": {"columns": ["a"], "data": [[1]], "dtype": 1}}),
    ("none", JSON, {"dataframe_split": [[1, 2]]}),
    ("none", JSON, records({"a": 1, "b": 2}, {"b": 3, "c": 4})),
    ("none", JSON, {"dataframe_records": {"a": 1}}),
    ("none", JSON, {"inputs": [[1, 2], [3, 4]]}),
    ("none", JSON, {"inputs": [1.5, 2]}),
    ("none", JSON, {"inputs": ["a", "b"]}),
    ("none", JSON, {"inputs": [[1, 2], [3]]}),
    ("none", JSON, {"inputs": {"a": [1, 2], "b": [1.5]}}),
    ("none", JSON, {"inputs": "text"}),
    ("none", JSON, {"inputs": 3}),
    ("none", JSON, {"instances": [{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3, 4]}]}),
    ("none", JSON, {"instances": [[1, 2], [3, 4]]}),
    ("none", JSON, {"instances": {"a": [1, 2], "b": [3]}}),
    ("none", JSON, {"instances": {"a": [1, 2], "b": [3, 4]}}),
    ("none", JSON, {"inputs": [1], "params": {"unknown": 1}, "signature_name": "x"}),
    ("none", JSON, {"inputs": [1], "instances": [1]}),
    ("none", JSON, {}),
    ("none", JSON, {"data": 1}),
    ("none", JSON, "just text"),
    ("none", JSON, 3),
    ("none", JSON, {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5}),
    ("none", JSON, {"prompt": "hello"}),
    ("none", JSON, {"input": ["a", "b"]}),
    ("none", CSV, "a,b\n1,x\n2,y\n"),
    ("none", CSV, "a,b\n1,\n,y\n"),
    ("none", "application/json; charset=utf-8", {"inputs": [1]}),
    ("none", "application/json; charset=UTF-8", {"inputs": [1]}),
    ("none", "application/json; charset=latin-1", {"inputs": [1]}),
    ("none", "application/json; odd=1", {"inputs": [1]}),
    ("none", "text/html", {"inputs": [1]}),
    ("none", "application/xml", "<a/>"),
    *(("none", JSON, {"inputs": {"answer": name}}) for name in ANSWERS),
    ("all", JSON, records(WHOLE)),
    ("all", JSON, split(list(WHOLE), list(WHOLE.values()))),
    ("all", JSON, split(list(reversed(WHOLE)), list(reversed(WHOLE.values())))),
    ("all", JSON, records({**WHOLE, "extra": 1})),
    ("all", JSON, records({k: v for k, v in WHOLE.items() if k != "l"})),
    ("two", JSON, split(["x", "n"], [1, 2], [2.5, 3])),
    ("two", JSON, split(["x", "n"], ["7", "8"])),
    ("two", JSON, split(["x", "n"], ["1e3", 8])),
    ("two", JSON, split(["x", "n"], ["abc", 8])),
    ("two", JSON, split(["x", "n"], [1, "abc"])),
    ("two", JSON, split(["x", "n"], [None, 2])),
    ("two", JSON, split(["x", "n"], [1, None])),
    ("two", JSON, split(["x", "n"], [1, 2.0])),
    ("two", JSON, split(["x", "n"], [1, 9007199254740993])),
    ("two", JSON, split(["n"], [1])),
    ("two", JSON, split(["x", "n", "z"], [1, 2, 3])),
    ("two", JSON, {"inputs": {"x": [1, 2], "n": [3, 4]}}),
    ("two", JSON, {"inputs": {"x": 1, "n": 3}}),
    ("two", JSON, {"inputs": [{"x": 1, "n": 3}, {"x": 2, "n": 4}]}),
    ("two", JSON, {"instances": [{"x": 1, "n": 3}, {"x": 2, "n": 4}]}),
    ("two", JSON, {"inputs": [[1, 2], [3, 4]]}),
    ("two", JSON, {"inputs": {"x": [1, 2], "n": [3]}}),
    ("two", CSV, "x,n\n1,2\n1.5,3\n"),
    ("two", CSV, "n,x,z\n1,2,3\n"),
    ("two", CSV, "x\n1\n"),
    ("two", CSV, "x,n\n1,\n"),
    ("two", CSV, "x,n\nabc,1\n"),
    ("two", CSV, "x,n\n,1\n"),
    ("one", JSON, {"inputs": [1, 2, 3]}),
    ("one", JSON, {"inputs": [1.5]}),
    ("text", JSON, split(["s"], ["a"], ["b"])),
    ("text", JSON, split(["s"], ["007"], [None])),
    ("text", JSON, split(["s"], ["true"], ["NA"])),
    ("text", JSON, {"inputs": ["a", "b"]}),
    ("text", JSON, {"inputs": {"s": ["a", "b"]}}),
    ("text", CSV, "s\n007\nx\n"),
    ("flag", JSON, split(["b"], [True], [False])),
    ("flag", JSON, split(["b"], [1], [0])),
    ("flag", CSV, "b\ntrue\nFalse\n"),
    ("int", JSON, split(["i"], [1], [-5])),
    ("int", JSON, split(["i"], [None])),
    ("float", JSON, split(["f"], [0.1], [None])),
    ("time", JSON, split(["t"], ["2024-05-31"], ["2024-06-01"])),
    ("time", JSON, split(["t"], ["2024-05-31T12:30:00.123456"])),
    ("time", JSON, split(["t"], [None], ["2024-05-31"])),
    ("time", JSON, split(["t"], [1717158600000000000])),
    ("time", JSON, split(["t"], ["no time"])),
    ("time", JSON, {"inputs": {"t": ["2024-05-31T12:30:00"]}}),
    ("binary", JSON, split(["y"], [TEXT64])),
    ("binary", JSON, split(["y"], [None])),
    ("binary", JSON, split(["y"], [5])),
    ("binary", JSON, split(["y"], ["abc"])),
    ("optional", JSON, records({"x": 1, "o": "a"})),
    ("optional", JSON, records({"x": 1})),
    ("optional", JSON, records({"o": "a"})),
    ("unnamed", JSON, split(["a", "b"], [1.5, 2.5])),
    ("unnamed", JSON, split(None, [1.5, 2.5])),
    ("unnamed", JSON, split(["a", "b", "c"], [1.5, 2.5, 3.5])),
    ("unnamed", JSON, split(["a"], [1.5])),
    ("unnamed", JSON, {"inputs": [[1.5, 2.5], [3.5, 4.5]]}),
    ("nested", JSON, records({"a": [1, 2], "o": {"k": "v", "n": 1.5}, "m": {"z": 1.0}})),
    ("nested", JSON, records({"a": [], "o": {"k": "v"}, "m": {}})),
    ("nested", JSON, records({"a": 1, "o": {"k": "v"}, "m": {}})),
    ("nested", JSON, records({"a": [1], "o": {"n": 1.5}, "m": {}})),
    ("nested", JSON, records({"a": [1], "o": {"k": "v", "odd": 1}, "m": {}})),
    ("nested", JSON, records({"a": [1], "o": {"k": "v", "n": None}, "m": {}})),
    ("list", JSON, split(["a"], [[1.5, 2.5]], [[3.5]])),
    ("any", JSON, records({"v": {"q": [1, "x"]}})),
    ("tensor", JSON, {"inputs": [[1, 2], [3, 4]]}),
    ("tensor", JSON, {"instances": [[1, 2], [3, 4.5]]}),
    ("tensor", JSON, {"inputs": [[1, 2, 3]]}),
    ("tensor", JSON, {"inputs": [1, 2]}),
    ("tensor", JSON, {"inputs": [["a", "b"]]}),
    ("tensor", JSON, {"inputs": {"p": [[1, 2]]}}),
    ("tensors", JSON, {"inputs": {"p": [1], "q": [[1, 2]]}}),
    ("tensors", JSON, {"inputs": {"p": [1], "q": [[1, 2]], "z": [1]}}),
    ("tensors", JSON, {"inputs": {"p": [1]}}),
    ("tensors", JSON, {"instances": [{"p": 1, "q": [1, 2]}, {"p": 2, "q": [3, 4]}]}),
    ("tensors", JSON, {"inputs": [1, 2]}),
    ("params", JSON, {**split(["x"], [1])}),
    ("params", JSON, {**split(["x"], [1]), "params": {"k": 5, "temperature": 1, "odd": 2}}),
    ("params", JSON, {**split(["x"], [1]), "params": {"stops": ["x", "y"], "on": False}}),
    ("params", JSON, {**split(["x"], [1]), "params": {"k": "5"}}),
    ("params", JSON, {**split(["x"], [1]), "params": {"k": 2.0}}),
    ("params", JSON, {**split(["x"], [1]), "params": {"on": "true"}}),
    ("params", JSON, {**split(["x"], [1]), "params": {"k": True}}),
    ("params", JSON, {**split(["x"], [1]), "params": {"stops": "x"}}),
    ("params", JSON, {**split(["x"], [1]), "params": {"k": [1]}}),
    ("params", JSON, {**split(["x"], [1]), "params": {"k": None}}),
    ("params", JSON, {**split(["x"], [1]), "params": None}),
    ("params", CSV, "x\n1\n"),
]

NOON = {"time": "2024-05-31T12:30:00"}
BYTES = {"bytes": "00ff68656c6c6f"}
OWN: list[tuple[str, str, Any, Any]] = [
    # MLflow's documents show these moments; its server refuses them, and every CSV with a datetime.
    ("time", JSON, split(["t"], ["2024-05-31T12:30:00Z"]), frame("t", TIME, NOON)),
    (
        "time",
        JSON,
        split(["t"], ["2024-05-31T12:30:00+02:00"]),
        frame("t", TIME, {"time": "2024-05-31T10:30:00"}),
    ),
    (
        "time",
        JSON,
        split(["t"], ["2024-05-31"], ["2024-05-31T12:30:00"]),
        frame("t", TIME, {"time": "2024-05-31T00:00:00"}, NOON),
    ),
    ("time", CSV, "t\n2024-05-31T12:30:00\n", frame("t", TIME, NOON)),
    # Its documents say that bytes are sent in base64; its server reads it in frames alone.
    ("binary", JSON, {"inputs": {"y": [TEXT64]}}, frame("y", "object", BYTES)),
    ("binary", CSV, f"y\n{TEXT64}\n", frame("y", "object", BYTES)),
    # Its documents allow only conversions that lose nothing; its server makes these without a word.
    ("two", JSON, split(["x", "n"], [1, 1.5]), "BAD_REQUEST"),
    ("int", JSON, split(["i"], [1099511627776]), "BAD_REQUEST"),
    ("float", JSON, split(["f"], [1e300]), "BAD_REQUEST"),
    ("flag", JSON, split(["b"], ["false"]), frame("b", "bool", False)),
    ("flag", JSON, split(["b"], [2]), "BAD_REQUEST"),
    ("flag", JSON, split(["b"], [None], [True]), frame("b", "object", None, True)),
    # "params" is an object.
    ("none", JSON, {"inputs": [1], "params": [1]}, "BAD_REQUEST"),
    # Cells that are lists stay lists, and values of objects stay Python's own.
    ("none", JSON, {"inputs": [{"a": 1}, {"a": 2}]}, [{"a": 1}, {"a": 2}]),
    ("list", JSON, {"inputs": {"a": [1.5, 2.5]}}, frame("a", "object", [1.5, 2.5])),
    (
        "list",
        JSON,
        {"inputs": {"a": [[1.5], [2.5, 3.5]]}},
        frame("a", "object", [1.5], [2.5, 3.5]),
    ),
]
"""Requests that MLflow answers otherwise, with what the model is to be given, or the error's code."""


def body_of(content: Any) -> bytes:
    """A case's body: text as it is, anything else as JSON."""
    return (content if isinstance(content, str) else json.dumps(content)).encode()


def main() -> int:
    """Ask MLflow every case and write what it answered."""
    import mlflow
    from fastapi.testclient import TestClient
    from mlflow.pyfunc import scoring_server

    found = []
    with tempfile.TemporaryDirectory() as folder:
        clients = {}
        for name, (inputs, params) in SIGNATURES.items():
            path = echo(Path(folder) / name, inputs, params)
            app = scoring_server.init(mlflow.pyfunc.load_model(str(path)))
            clients[name] = TestClient(app, raise_server_exceptions=False)
        for name, kind, content in CASES:
            reply = clients[name].post(
                "/invocations", content=body_of(content), headers={"content-type": kind}
            )
            answer = reply.json() if reply.status_code == 200 else None
            code = "" if answer is not None else _code(reply)
            found.append({"status": reply.status_code, "code": code, "answer": answer})
    FILE.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(each, sort_keys=True) for each in found)
    FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return 0


def _code(reply: Any) -> str:
    try:
        return str(reply.json().get("error_code", ""))
    except ValueError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
