"""One bounded run of load against one server, and the figures of several."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from servers import Server

CONNECTIONS = (1, 16, 64)
_LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = {type}
wrk.body = {body}
"""


@dataclass(frozen=True)
class Sample:
    """One timed run: requests a second, latencies in milliseconds, requests without a 200.

    ``cpu``: microseconds of processor time of all the server's processes for each request. It
    hardly knows what else the machine is doing.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    failed: int


def script(server: Server, folder: Path) -> Path:
    """wrk's script that posts the server's own one-row body."""
    kind, body = server.body
    path = folder / f"{server.name}.lua"
    path.write_text(_LUA.format(type=json.dumps(kind), body=_lua_string(body.decode())))
    return path


def _lua_string(text: str) -> str:
    return "[==[" + text + "]==]"


def run(server: Server, connections: int, seconds: int, lua: Path) -> Sample:
    """Load from one wrk thread for some seconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["--latency", "-s", str(lua), f"http://127.0.0.1:{server.port}{server.path}"]
    before = server.processor_time
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = server.processor_time - before
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    done = re.search(r"(\d+) requests in", out)
    assert rate is not None, out
    assert done is not None, out
    cpu = spent * 1e6 / max(1, int(done[1]))
    return Sample(float(rate[1]), _latency(out, 50), _latency(out, 99), cpu, _failed(out))


def _latency(out: str, percent: int) -> float:
    found = re.search(rf"\s{percent}%\s+([\d.]+)(us|ms|s|m)\s", out)
    assert found is not None, out
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[found[2]]


def _failed(out: str) -> int:
    """Answers that were no 2xx or 3xx, and connections that broke or timed out."""
    status = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    broken = sum(map(int, errors.groups())) if errors else 0
    return broken + (int(status[1]) if status else 0)


def spread(values: list[float], form: str = "{:.2f}") -> str:
    """Median and range, as every figure here is printed."""
    low, middle, high = (
        form.format(value) for value in (min(values), statistics.median(values), max(values))
    )
    return f"{middle} ({low}..{high})"


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Round by round: both ran next to each other."""
    return [float(value) for value in np.array(ours) / np.array(theirs)]
