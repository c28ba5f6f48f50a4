"""Rows of several JSON bodies in one call, for every protocol whose bodies are JSON rows.

A protocol brings two functions: one reads a body, the other writes the answers of a call.
"""

from __future__ import annotations

import logging
from typing import Any, Callable, Dict, Hashable, List, NamedTuple, Sequence, Union

from polyhost.codecs import Answer, Request
from polyhost.codecs.inputs import table_of
from polyhost.data.payload import Buffer, Scores
from polyhost.formats import rows
from polyhost.pipeline import batching
from polyhost.pipeline.marshal import check_rows
from polyhost.predictor import Predictor

logger = logging.getLogger(__name__)


class Asked(NamedTuple):
    """What a body asks for: its rows, and the ``form`` that its answer has."""

    rows: rows.Rows
    form: Hashable = None


Read = Callable[[Buffer], Asked]
Write = Callable[[Scores, Sequence[int], Any], List[Answer]]
"""Answers to requests of one form, whose rows of the scores are counted."""


def answer_one(predictor: Predictor, body: Buffer, read: Read, write: Write) -> Answer:
    """The answer to one body."""
    return _alone(predictor, read(body), write)


def answer_all(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer], read: Read, write: Write
) -> List[Union[Answer, Exception]]:
    """Answers in order: bodies that are alike go through one call where the model allows it."""
    outcomes: List[Any] = [batching.attempt(read, body) for body in bodies]
    groups: Dict[Any, List[int]] = {}
    for i, asked in enumerate(outcomes):
        if not isinstance(asked, Exception):
            alike = _alike(predictor, asked) if predictor.info.batchable else i
            groups.setdefault(alike, []).append(i)
    for members in groups.values():
        counts = [len(outcomes[i].rows[1]) for i in members]
        for together in batching.packs(members, counts, request.options.get("call_rows")):
            group = [outcomes[i] for i in together]
            for i, found in zip(together, _answer_group(predictor, group, write)):
                outcomes[i] = found
    return outcomes


def _alike(predictor: Predictor, asked: Asked) -> Any:
    """What two bodies must share to be one table: names, and the types of each column's cells.

    A model that takes a matrix has numbers only, whatever JSON calls them.
    """
    (names, data), form = asked
    if predictor.info.guest.matrix:
        return names, form
    if len(data) == 1:
        return names, form, tuple(map(type, data[0]))
    return names, form, tuple(frozenset(map(type, cells)) for cells in zip(*data))


def _answer_group(predictor: Predictor, group: List[Asked], write: Write) -> List[Any]:
    """Answers to bodies that are alike, from one call; after a failure each is predicted alone."""
    names, form = group[0].rows[0], group[0].form
    counts = [len(asked.rows[1]) for asked in group]
    if len(group) > 1:
        try:
            gathered = [row for asked in group for row in asked.rows[1]]
            table = table_of(predictor, names, gathered)
            scores = predictor.predict(table)
        except Exception as error:
            logger.debug("a batch of %d failed, its members run singly: %s", len(group), error)
        else:
            if scores.predictions.rows == table.rows:
                return write(scores, counts, form)
    return [batching.attempt(lambda one: _alone(predictor, one, write), one) for one in group]


def _alone(predictor: Predictor, asked: Asked, write: Write) -> Answer:
    table = table_of(predictor, *asked.rows)
    scores = predictor.predict(table)
    check_rows(scores, table.rows, strict=True)
    return write(scores, [table.rows], asked.form)[0]
