"""What a worker costs to start: seconds until READY, and private memory, from a warm parent.

    python benchmarks/start.py [--times 7] [--rows]

A scikit-learn LogisticRegression and a caret model are loaded again and again in one host; each
line gives the median of the starts after the first, which also waits for its parent to warm up.
"""

from __future__ import annotations

import argparse
import asyncio
import pickle
import statistics
import subprocess
import tempfile
from pathlib import Path

from polyhost.code_dir.spec import spec_of
from polyhost.host.host import Host
from polyhost.settings import ModelConfig, Setting, Source, TargetSettings
from polyhost.wire import linux

HERE = Path(__file__).resolve().parent
BUILTIN = HERE.parent / "tests" / "models" / "builtin"


def make_sklearn(folder: Path) -> Path:
    """A LogisticRegression on iris' 4 columns."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data = load_iris(as_frame=True)
    model = LogisticRegression(max_iter=500).fit(data.data, data.target_names[data.target])
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    return folder


def make_caret(folder: Path) -> Path:
    """A caret model on iris, made by the tests' own script."""
    script = str(BUILTIN / "r" / "make.R")
    subprocess.run(["Rscript", script, "multiclass", str(folder)], check=True, capture_output=True)
    return folder / "model"


async def measure(name: str, folder: Path, times: int) -> None:
    """Load the model several times in one host and print what its workers cost."""
    labels = ("setosa", "versicolor", "virginica")
    target = TargetSettings(
        type=Setting("multiclass", Source.FLAG), class_labels=Setting(labels, Source.FLAG)
    )
    host = Host(lambda *_: None)
    await host.start(())
    ready, private, first = [], [], 0.0
    try:
        for number in range(times + 1):
            hosted = ModelConfig(name, spec_of(folder, target), version=str(number))
            if not await host.deploy(hosted):
                raise SystemExit(f"{name}: {host.models[name].reason}")
            (worker,) = host.models[name].active_pool.workers  # type: ignore[union-attr]
            if number == 0:
                first = worker.ready_after or 0.0
                continue
            ready.append(worker.ready_after or 0.0)
            private.append(linux.memory_private(worker.pid) / 2**20)
    finally:
        await host.stop(5.0)
    print(
        f"{name:8s} ready after {statistics.median(ready):.3f} s "
        f"({min(ready):.3f}..{max(ready):.3f}), private {statistics.median(private):.1f} MB "
        f"({min(private):.1f}..{max(private):.1f}); first {first:.2f} s"
    )


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        for name, make in (("sklearn", make_sklearn), ("caret", make_caret)):
            folder = make(Path(temp) / name)
            asyncio.run(measure(name, folder, options.times))


if __name__ == "__main__":
    main()
