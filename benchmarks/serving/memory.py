"""Memory of whole trees, and of further models, as PSS: a shared page is split by its sharers."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import models
import peers
import rates
import servers
from load import spread
from peers import PEERS
from servers import Server

WARM_UP = 200


def pss(pid: int) -> float:
    """MiB of one process; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def tree(server: Server) -> float:
    return sum(map(pss, server.tree))


def _settle(server: Server) -> None:
    """Serve some requests, so that what a server allocates on the way is there."""
    for _ in range(WARM_UP):
        servers.post(server.port, server.path, server.body)
    time.sleep(1.5)


def one_model(names: Sequence[str], temp: Path, rounds: int) -> None:
    """Print, for one server at a time, seconds to the first 200 and the memory of its tree."""
    print("\n| one model | first 200, s | tree MiB | main process MiB | processes |")
    print("|---|---|---|---|---|")
    for name in names:
        first: list[float] = []
        sizes: list[tuple[float, float, int]] = []
        for _ in range(rounds):
            try:
                with rates.started(PEERS[name], "logistic", temp) as server:
                    _settle(server)
                    sizes.append((tree(server), pss(server.process.pid), len(server.tree)))
                    first.append(server.first)
            except servers.StartFailed:
                break
        if first:
            whole, main, count = zip(*sizes, strict=True)
            cells = [spread(first), spread(list(whole), "{:.0f}"), spread(list(main), "{:.0f}")]
            print(f"| {name} | {' | '.join(cells)} | {count[-1]} |", flush=True)


def many_models(counts: Sequence[int], temp: Path) -> None:
    """Print what further small scikit-learn models cost in one server of ours."""
    print("\n| models | first 200 of the last, s | tree MiB | host MiB | MiB a further model |")
    print("|---|---|---|---|---|")
    before: tuple[int, float] | None = None
    source = temp / "many"
    models.make(source)
    for count in counts:
        with _serving(count, source / "logistic" / "model.pkl", temp) as server:
            for i in range(count):
                path = f"/models/m{i}/predict/" if count > 1 else "/predict/"
                for _ in range(10):
                    status, reply = servers.post(server.port, path, server.body)
                    assert status == 200, reply
            time.sleep(1.5)
            whole = tree(server)
            further = "" if before is None else f"{(whole - before[1]) / (count - before[0]):.1f}"
            before = before or (count, whole)
            host = pss(server.process.pid)
            cells = [f"{server.first:.2f}", f"{whole:.0f}", f"{host:.0f}", further]
            print(f"| {count} | {' | '.join(cells)} |", flush=True)


def _serving(count: int, artifact: Path, temp: Path) -> AbstractContextManager[Server]:
    folder = Path(tempfile.mkdtemp(dir=temp))
    lines = ["models:"]
    for i in range(count):
        (folder / f"m{i}").mkdir()
        shutil.copy(artifact, folder / f"m{i}" / "model.pkl")
        lines += [f"  m{i}:", f"    path: m{i}", "    target:", "      type: binary"]
        lines += [f'      positive_class_label: "{peers.POSITIVE}"']
        lines += [f'      negative_class_label: "{peers.NEGATIVE}"']
    (folder / "polyhost.yaml").write_text("\n".join(lines) + "\n")
    port = servers.free_port()
    command = [sys.executable, "-m", "polyhost", "serve", "--port", str(port)]
    body = PEERS["polyhost"].row("logistic", models.data("logistic", 1))
    path = f"/models/m{count - 1}/predict/"
    return servers.running("polyhost", command, port, path, body, folder / "log")
