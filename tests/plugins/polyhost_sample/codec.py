"""The worker half of the protocol of dialect.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polyhost.codecs import Answer, Request
from polyhost.data.payload import Buffer, Table
from polyhost.errors import InvalidInput
from polyhost.pipeline import batching
from polyhost.predictor import Predictor


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Answer one body."""
    try:
        numbers = np.array([float(line) for line in bytes(body).splitlines()])
    except ValueError as error:
        raise InvalidInput(f"not a number on each line: {error}") from error
    scores = predictor.predict(Table(("a",), (numbers,))).together()
    (answers,) = scores.columns
    return Answer("".join(f"{value}\n" for value in answers).encode(), "text/plain")


def answer_many(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer]
) -> list[Answer | Exception]:
    """Answer each by itself."""
    return [
        batching.attempt(lambda body: answer(predictor, request, body), body) for body in bodies
    ]
