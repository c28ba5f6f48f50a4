"""A file scored by a loaded model, as the command does it, without the command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from polyhost.batch import inputs, outputs, run, witnesses
from polyhost.batch.readers import Progress, Reading, chunks
from polyhost.batch.scoring import Scoring
from polyhost.codecs.batch import Options


class Silent:
    """Nobody who hears how far a run is."""

    skipped = 0

    def step(self, rows: int, rejected: int) -> None:
        pass


def score_file(model: Any, source: Path, output: Path, rows: int | None, **options: Any) -> str:
    """The output's text; ``rows`` is the size of a chunk, None is all of the input in one call."""
    found = inputs.find([str(source)])
    reading = Reading(rows, whole=rows is None)
    target = outputs.of(str(output))
    how = Options(whole=rows is None, **options)
    scoring = Scoring(model, "predict", target.accept, how, [str(source)])
    if rows is not None:
        first = next(chunks(found, reading))
        rows_first = witnesses.find(chunks(found, reading))
        scoring = replace(scoring, witnesses=witnesses.settled(scoring, first, rows_first))
    work = run.Run(found, reading, scoring, target)
    run.score(work, Silent(), Progress(), plan={}, resume=False)
    return output.read_text(encoding="utf-8")
