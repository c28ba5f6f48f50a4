"""What the hop to a worker costs: polyhost against a bare FastAPI app, in one run.

Both answer one-row ``dataframe_split`` bodies of the same model on the same machine; rounds are
interleaved (A B A B), and the ratio of each round is reported with its spread. Needs ``wrk``.

    python benchmarks/hop.py [--model sklearn|mojo] [--rounds 5] [--seconds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONNECTIONS = (1, 16, 64)
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{body}'
"""


@dataclass(frozen=True)
class Sample:
    """One timed run: requests a second, and latencies in milliseconds."""

    rate: float
    p50: float
    p99: float
    failed: int


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def make_sklearn(folder: Path) -> tuple[Path, str]:
    """A LogisticRegression on iris' 4 columns, two classes; the artifact and a one-row body."""
    import pickle

    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data = load_iris(as_frame=True)
    rows, labels = data.data[:100], data.target_names[data.target[:100]]
    model = LogisticRegression(max_iter=500).fit(rows, labels)
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    return path, _body(list(rows.columns), [5.1, 3.5, 1.4, 0.2])


def make_mojo(folder: Path) -> tuple[Path, str]:
    """An H2O GBM on iris' 4 columns, three classes, made by the tests' own script."""
    script = HERE.parent / "tests" / "models" / "builtin" / "java" / "make.py"
    subprocess.run([sys.executable, str(script), "multiclass", str(folder / "made")], check=True)
    path = next((folder / "made" / "model").glob("*.zip"))
    target = folder / path.name
    path.rename(target)
    header, first = (folder / "made" / "input.csv").read_text().splitlines()[:2]
    names = [name.strip('"') for name in header.split(",")]
    return target, _body(names, [float(cell) for cell in first.split(",")])


def _body(names: list[str], row: list[float]) -> str:
    return json.dumps({"dataframe_split": {"columns": names, "data": [row]}})


def target_of(kind: str) -> list[str]:
    """The flags that say what the model predicts."""
    if kind == "sklearn":
        labels = ["--positive-class-label", "versicolor", "--negative-class-label", "setosa"]
        return ["--target-type", "binary", *labels]
    labels = ["setosa", "versicolor", "virginica"]
    return ["--target-type", "multiclass", "--class-labels", *labels]


def start(command: list[str], port: int) -> subprocess.Popen[bytes]:
    """Start a server and wait until it answers its ping."""
    process = subprocess.Popen(command, env=dict(os.environ))
    url = f"http://127.0.0.1:{port}/health/" if "serve" in command else None
    url = url or f"http://127.0.0.1:{port}/ping"
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=1).read()
            return process
        except OSError:
            if process.poll() is not None:
                raise SystemExit(f"{command} ended with {process.returncode}") from None
            time.sleep(0.05)
    process.kill()
    raise SystemExit(f"{command} did not answer at {url}")


def load(port: int, connections: int, seconds: float, lua: Path) -> Sample:
    """One bounded run of wrk against the server's predict route."""
    out = subprocess.run(
        [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds:g}s",
            "--latency",
            "-s",
            str(lua),
            f"http://127.0.0.1:{port}/predict/",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))  # type: ignore[union-attr]
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return Sample(rate, _latency(out, "50"), _latency(out, "99"), int(failed[1]) if failed else 0)


def _latency(out: str, percent: str) -> float:
    found = re.search(rf"\s{percent}%\s+([\d.]+)(us|ms|s)", out)
    assert found is not None, out
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[found[2]]


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):8.2f} ({min(values):.2f}..{max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=["sklearn", "mojo"], default="sklearn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        run(options.model, options.rounds, options.seconds, Path(temp))


def run(kind: str, rounds: int, seconds: float, temp: Path) -> None:
    folder = temp / "model"
    folder.mkdir()
    path, body = {"sklearn": make_sklearn, "mojo": make_mojo}[kind](folder)
    lua = temp / "post.lua"
    lua.write_text(LUA.format(body=body))
    ports = {"bare": free_port(), "polyhost": free_port()}
    bare = [sys.executable, str(HERE / "bare_app.py"), kind, str(path), str(ports["bare"])]
    ours = [sys.executable, "-m", "polyhost", "serve", str(folder)]
    ours += ["--port", str(ports["polyhost"]), *target_of(kind)]
    servers = {"bare": start(bare, ports["bare"]), "polyhost": start(ours, ports["polyhost"])}
    try:
        for server in servers:
            load(ports[server], 16, 1.0, lua)
        print(f"{kind}: one-row dataframe_split, {rounds} interleaved rounds of {seconds:g} s, wrk")
        for connections in CONNECTIONS:
            report(connections, rounds, seconds, ports, lua)
    finally:
        for process in servers.values():
            process.send_signal(signal.SIGTERM)
        for process in servers.values():
            process.wait(timeout=40)


def report(connections: int, rounds: int, seconds: float, ports: dict[str, int], lua: Path) -> None:
    samples: dict[str, list[Sample]] = {"bare": [], "polyhost": []}
    for _ in range(rounds):
        for server, port in ports.items():
            samples[server].append(load(port, connections, seconds, lua))
    pairs = list(zip(samples["bare"], samples["polyhost"], strict=True))
    print(
        f"\n{connections} connection(s)               bare                     polyhost        "
        "        polyhost / bare"
    )
    for name, get in (
        ("requests/s", lambda s: s.rate),
        ("p50 ms", lambda s: s.p50),
        ("p99 ms", lambda s: s.p99),
    ):
        a, b = ([get(sample) for sample in samples[server]] for server in samples)
        ratio = [get(y) / get(x) for x, y in pairs]
        print(f"  {name:11s} {spread(a):30s} {spread(b):30s} {spread(ratio)}")
    failed = {server: sum(s.failed for s in got) for server, got in samples.items()}
    print(f"  failed      {failed}")


if __name__ == "__main__":
    main()
