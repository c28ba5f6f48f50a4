"""One-row load on models of other languages, each against the barest server of its kind here.

The models are those of the tests, made by their own tools: an H2O GBM of 20 trees on 30 columns
(peer: FastAPI and JPype), caret's glm on 7 columns (peer: plumber), a Julia model on 30 columns (no
peer: no web server comes with Julia).
"""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import plumber
import rates
import servers
from bodies import JSON, Body
from peers import APPS

BENCHMARKS = APPS.parent.parent
BUILTIN = BENCHMARKS.parent / "tests" / "models" / "builtin"


@dataclass(frozen=True)
class Kind:
    """A language's model, its labels, and the peer's command for an artifact and a port."""

    name: str
    maker: tuple[str, str]
    positive: str
    negative: str
    peer: str = ""
    command: Callable[[Path, int], list[str]] | None = None


def _mojo_app(artifact: Path, port: int) -> list[str]:
    return [sys.executable, str(BENCHMARKS / "bare_app.py"), "mojo", str(artifact), str(port)]


def _plumber_app(artifact: Path, port: int) -> list[str]:
    plumber.make()
    return ["Rscript", str(APPS / "api.R"), str(artifact), str(port)]


KINDS = (
    Kind("mojo", (sys.executable, "java/make.py"), "benign", "malignant", "fastapi", _mojo_app),
    Kind("julia", (sys.executable, "julia/make.py"), "benign", "malignant"),
    Kind("r", ("Rscript", "r/make.R"), "Yes", "No", "plumber", _plumber_app),
)


def report(temp: Path, rounds: int, seconds: int) -> None:
    for kind in KINDS:
        print(f"\n### {kind.name}", flush=True)
        folder = temp / kind.name
        program, script = kind.maker
        make = [program, str(BUILTIN / script), "binary", str(folder)]
        done = subprocess.run(make, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"no {kind.name} model can be made here: {done.stderr.strip()[-300:]}")
            continue
        with _running(kind, folder) as running:
            base, ours = f"{kind.name} on {kind.peer}", f"{kind.name} on polyhost"
            rates.one_row(running, rounds, seconds, folder, base, ours)
            for server in running:
                print(f"\n{server.name}: first 200 after {server.first:.2f} s", flush=True)


@contextlib.contextmanager
def _running(kind: Kind, folder: Path) -> Iterator[list[servers.Server]]:
    body = _row(folder / "input.csv")
    with contextlib.ExitStack() as stack:
        found = []
        for name, command in _commands(kind, folder / "model").items():
            port = servers.free_port()
            log = folder / f"{name}.log"
            try:
                server = servers.running(
                    f"{kind.name} on {name}",
                    command(port),
                    port,
                    "/predict/",
                    body,
                    log,
                    plumber.variables() if name == plumber.NAME else {},
                )
                found.append(stack.enter_context(server))
            except (servers.StartFailed, RuntimeError) as error:
                print(f"{name} cannot be started: {error}")
        yield found


def _commands(kind: Kind, code_dir: Path) -> dict[str, Callable[[int], list[str]]]:
    (artifact,) = (path for path in code_dir.iterdir() if path.suffix in (".zip", ".rds", ".jlso"))
    served = code_dir.with_name("served")
    shutil.copytree(code_dir, served)
    labels = ["--positive-class-label", kind.positive, "--negative-class-label", kind.negative]
    ours = [sys.executable, "-m", "polyhost", "serve", str(served), *labels]
    found = {
        "polyhost": lambda port: [*ours, "--target-type", "binary", "--port", str(port)],
    }
    if kind.command is not None:
        app = kind.command
        found[kind.peer] = lambda port: app(artifact, port)
    return found


def _row(path: Path) -> Body:
    """The first row of a file that has no gap in it."""
    with path.open(newline="") as file:
        names, *rows = csv.reader(file)
    row = next(row for row in rows if all(row))
    table = {"columns": names, "data": [[float(cell) for cell in row]]}
    return JSON, json.dumps({"dataframe_split": table}).encode()
