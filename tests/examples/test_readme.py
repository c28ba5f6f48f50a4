"""What the README tells a newcomer to type."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import POLYHOST, clean_environment

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the README's model has been made."""
    found = re.search(r"mkdir (\w+) && cat > make.py <<'END'\n(.*?)END\n", README, re.DOTALL)
    assert found is not None
    (tmp_path / found[1]).mkdir()
    (tmp_path / "make.py").write_text(found[2], encoding="utf-8")
    subprocess.run([sys.executable, "make.py"], cwd=tmp_path, check=True)
    return tmp_path


def line(start: str, number: int = 0) -> list[str]:
    """The words of the README's lines that start so; of the first, or another."""
    found: str = re.findall(rf"^{start}.*$", README, re.MULTILINE)[number]
    return found.removesuffix("&").split()


def run(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*POLYHOST, *words[1:]],
        cwd=folder,
        env=clean_environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_model_scores_and_serves(folder, serve):
    score = run(folder, line("polyhost score"))
    printed = [float(row.split()[1]) for row in score.stdout.splitlines()[1:]]
    model, *flags = line("polyhost serve")[2:]
    server = serve(folder / model, *flags)
    curl = " ".join(line("curl"))
    assert curl.endswith("localhost:8000/predict/")
    reply = server.post("/predict/", (folder / "rows.csv").read_bytes())
    assert reply.json()["predictions"] == pytest.approx(printed, rel=1e-5)
    assert len(printed) == 3
    run(folder, line("polyhost score", 1))
    header, *rows = (folder / "predictions.csv").read_text(encoding="utf-8").split()
    assert header == "Predictions"
    assert [float(row) for row in rows] == pytest.approx(printed, rel=1e-5)


def test_every_page_that_is_linked_is_there():
    linked = re.findall(r"\]\(([^)]+\.md)\)", README)
    assert linked
    assert not [name for name in linked if not (ROOT / name).is_file()]
