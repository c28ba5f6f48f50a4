"""Make the virtual environments of the peers, each with its own pins, outside the repository.

    python benchmarks/serving/environments.py [PEER ...]

They live in ``$POLYHOST_BENCH_CACHE``, else ``~/.cache/polyhost-bench``, and are made again when
their requirements changed. A peer that cannot be installed keeps the installer's last lines in
``PEER.error``; the benchmark goes on without it and says so.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = tuple(sorted(path.stem for path in (HERE / "requirements").glob("*.txt")))


def cache() -> Path:
    return Path(os.environ.get("POLYHOST_BENCH_CACHE") or Path.home() / ".cache/polyhost-bench")


def python_of(peer: str) -> Path:
    """The interpreter of a peer's environment; it may not be there."""
    return cache() / peer / "bin" / "python"


def why_missing(peer: str) -> str:
    """Why a peer has no environment: the installer's last lines."""
    kept = cache() / f"{peer}.error"
    return kept.read_text() if kept.exists() else "never installed: run environments.py"


def make(peer: str) -> bool:
    """Make one environment, unless it is there already; False when it cannot be."""
    requirements = HERE / "requirements" / f"{peer}.txt"
    folder, stamp = cache() / peer, cache() / f"{peer}.stamp"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest and python_of(peer).exists():
        return True
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [str(python_of(peer)), "-m", "pip", "install", "--quiet", "-r", str(requirements)]
    done = subprocess.run(install, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    error = cache() / f"{peer}.error"
    if done.returncode != 0:
        error.write_text("\n".join(done.stdout.splitlines()[-8:]) + "\n")
        shutil.rmtree(folder)
        return False
    error.unlink(missing_ok=True)
    stamp.write_text(digest)
    return True


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(PEERS))
    if unknown:
        print(f"no such peer: {', '.join(unknown)}; expected {', '.join(PEERS)}", file=sys.stderr)
        return 2
    for peer in names or PEERS:
        print(f"{peer}: {'ready' if make(peer) else why_missing(peer)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
