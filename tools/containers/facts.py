"""The table of sizes and cold starts in docs/environments-images.md, and each README's line of it."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from containers.contexts import folder_of, tag_of
from containers.examples import EXAMPLES, OF_POLYGLOT, make
from containers.images import find_engine
from containers.running import Containers, Wanted, containers
from polyhost.cli.engines import Buildah, ContainerEngine

from shell import ROOT, StepFailed, say

PAGE = ROOT / "docs/environments-images.md"
HEAD = "| Image | Size | Cold start, seconds of processor |\n|---|---|---|\n"
TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")
ROW = re.compile(r"^\| (\w+) \|.*$", re.MULTILINE)
LINE = re.compile(r"^Size: .*$", re.MULTILINE)


@dataclass(frozen=True)
class Facts:
    """Megabytes unpacked, and what it took until /health/ was 200 for the first time."""

    megabytes: float
    seconds: float


def write(names: list[str], runs: int) -> None:
    """Measure these images, which have to be here, and write what was found; others' rows stay."""
    engine = find_engine()
    with tempfile.TemporaryDirectory(prefix="polyhost-") as folder:
        starter = containers(engine, Path(folder))
        found = {name: _measure(name, engine, starter, Path(folder), runs) for name in names}
    page = PAGE.read_text(encoding="utf-8")
    table = TABLE.search(page)
    if table is None:
        raise StepFailed(f"{PAGE} has no table that begins with:\n{HEAD}")
    rows = {row[1]: row[0] for row in ROW.finditer(table[0]) if row[1] != "Image"}
    for name, facts in found.items():
        rows[name] = f"| {name} | {facts.megabytes:.0f} MB | {facts.seconds:.1f} |"
        readme = folder_of(name) / "README.md"
        text = readme.read_text(encoding="utf-8")
        readme.write_text(LINE.sub(f"Size: {facts.megabytes:.0f} MB.", text), encoding="utf-8")
        say(f"{rows[name]}")
    written = HEAD + "".join(f"{rows[name]}\n" for name in sorted(rows))
    PAGE.write_text(page.replace(table[0], written), encoding="utf-8")


def _measure(
    name: str, engine: ContainerEngine, starter: Containers, folder: Path, runs: int
) -> Facts:
    example = EXAMPLES.get(name, OF_POLYGLOT["python"])
    made = folder / name
    made.mkdir()
    make(example, name, starter, made)
    wanted = Wanted(
        tag_of(name),
        mounts=((made / "model", "/opt/code"),),
        environment=example.variables,
    )
    times = []
    for _ in range(runs):
        with starter.start(wanted) as running:
            running.wait()
            times.append(running.processor_time())
            running.stop()
    return Facts(size_of(engine, tag_of(name)), min(times))


def size_of(engine: ContainerEngine, image: str) -> float:
    """Megabytes of an image's files."""
    if isinstance(engine, Buildah):
        container = _output("buildah", "from", "--pull-never", image).strip()
        try:
            root = _output("buildah", "mount", container).strip()
            return int(_output("du", "-sx", "--block-size=1", root).split()[0]) / 1e6
        finally:
            _output("buildah", "rm", container)
    found = json.loads(_output(engine.program, "image", "inspect", image))
    return float(found[0]["Size"]) / 1e6


def _output(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
