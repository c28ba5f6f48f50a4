"""``polyhost score --sample N``: what a model takes and gives, shown on the first rows of an input."""

from __future__ import annotations

from dataclasses import replace

from polyhost.batch.chunks import Chunk
from polyhost.batch.engine import from_stream
from polyhost.batch.scoring import Answered, Scorer, Scoring
from polyhost.codecs.batch import ARROW
from polyhost.predictor import ModelInfo


def print_sample(info: ModelInfo, scoring: Scoring, first: Chunk, count: int) -> None:
    """Score the first rows, and print the columns in, the columns out and the answers."""
    chunk = first.part(0, count) if first.rows > count else first
    scoring = replace(scoring, accept=ARROW, on_error="fail")
    found = Scorer(scoring).finish(chunk, scoring.submit(chunk))
    (answer,) = (part for part in found if isinstance(part, Answered))
    answers = from_stream(answer.body)
    print("input:")
    known = {column.name: column.kind for column in info.guest.columns}
    for name in chunk.names:
        kind = known.get(name, "any" if not known or not info.typed else "not read by the model")
        print(f"  {name}: {kind}")
    for name in [name for name in known if name and name not in chunk.names]:
        print(f"  {name}: {known[name]}, absent")
    print("output:")
    for field in answers.schema:
        print(f"  {field.name}: {field.type}")
    print(f"answers to the first {chunk.rows} row(s):")
    print(answers.to_pandas().to_string(index=False))
