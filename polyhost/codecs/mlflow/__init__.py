"""MLflow's scoring protocol: today's bodies and those of 1.x, each answered in its own generation.

A body becomes a table, arrays or a plain value, which the model is asked with as it is; so its
answer may be of any shape. Bodies of rows that came with equal requests share one call where the
model allows it.
"""

from __future__ import annotations

import logging
from typing import Any, Dict, Iterator, List, Optional, Sequence, Union

from polyhost.codecs import Answer, Request, outputs
from polyhost.codecs.mlflow import reading, writing
from polyhost.codecs.mlflow.reading import Frame, Input
from polyhost.data.payload import Buffer
from polyhost.errors import PolyhostError, SettingsError
from polyhost.pipeline import batching
from polyhost.predictor import Predictor

logger = logging.getLogger(__name__)

STREAM = "text/event-stream"
"""What ``accept`` of a request is whose answer is sent part by part."""
EVENTS = "text/event-stream; charset=utf-8"
_DONE = b"data: [DONE]\n\n"


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Answer one request."""
    if request.op != "predict":
        raise SettingsError(f"unknown operation {request.op!r}: expected predict.")
    return _answer(predictor, request, reading.read(predictor, request, body))


def answer_many(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer]
) -> List[Union[Answer, Exception]]:
    """Answer a batch: rows of the same columns in one call where the model allows it."""
    if not predictor.info.batchable or len(bodies) == 1:
        return [batching.attempt(lambda b: answer(predictor, request, b), b) for b in bodies]
    found: List[Any] = [
        batching.attempt(lambda b: reading.read(predictor, request, b), b) for b in bodies
    ]
    groups: Dict[Any, List[int]] = {}
    for i, given in enumerate(found):
        if not isinstance(given, Exception):
            groups.setdefault(_alike(predictor, request, given, i), []).append(i)
    for alike in groups.values():
        counts = [_rows(found[i]) for i in alike]
        for members in batching.packs(alike, counts, request.options.get("call_rows")):
            group = [found[i] for i in members]
            for i, answered in zip(members, _answer_group(predictor, request, group)):
                found[i] = answered
    return found


def _alike(predictor: Predictor, request: Request, given: Input, place: int) -> Any:
    """What two requests must share to be one call; one that shares with none has its own place."""
    frame = given.data
    if (
        not isinstance(frame, Frame)
        or frame.index is not None
        or given.params
        or given.stream
        or request.accept == STREAM
    ):
        return place
    labels = None if frame.labels is None else tuple(frame.labels)
    if predictor.info.guest.matrix:
        return frame.names, labels
    return frame.names, labels, tuple(frozenset(map(type, cells)) for cells in zip(*frame.rows))


def _rows(given: Input) -> int:
    return len(given.data.rows) if isinstance(given.data, Frame) else 1


def _answer_group(predictor: Predictor, request: Request, group: List[Input]) -> List[Any]:
    """Answers to inputs that are alike, from one call; after a failure each is asked alone."""
    if len(group) > 1:
        counts = [_rows(given) for given in group]
        first = group[0].data
        gathered = Frame(first.names, [row for g in group for row in g.data.rows], first.labels)
        try:
            value = predictor.invoke(reading.table_of(predictor, gathered))
            parts = writing.split(value, counts)
        except Exception as error:
            logger.debug("a batch of %d failed, its members run singly: %s", len(group), error)
        else:
            if parts is not None:
                return [
                    batching.attempt(lambda pair: _written(predictor, request, *pair), pair)
                    for pair in zip(parts, group)
                ]
    return [batching.attempt(lambda given: _answer(predictor, request, given), g) for g in group]


def _answer(predictor: Predictor, request: Request, given: Input) -> Answer:
    data = given.data
    if isinstance(data, Frame):
        data = reading.table_of(predictor, data)
    if given.stream or request.accept == STREAM:
        parts = predictor.invoke_stream(data, given.params)
        return Answer(_events(parts), EVENTS, headers={"Cache-Control": "no-cache"})
    return _written(predictor, request, predictor.invoke(data, given.params), given)


def _written(predictor: Predictor, request: Request, value: Any, given: Input) -> Answer:
    if request.accept:
        return outputs.encode(predictor.answer_table(value), request)
    literal = bool(request.options.get("literal_nan"))
    return Answer(writing.encode(value, wrapped=given.wrapped, literal=literal))


def _events(parts: Iterator[Any]) -> Iterator[bytes]:
    """The parts of an answer as server-sent events; an error ends them."""
    try:
        for part in parts:
            yield b"data: " + writing.encode(part, wrapped=False) + b"\n\n"
    except Exception as error:
        message: Optional[str] = error.message if isinstance(error, PolyhostError) else repr(error)
        logger.warning("a stream of an answer broke off: %s", message)
        fault = {"error": {"error_code": "BAD_REQUEST", "message": message}}
        yield b"data: " + writing.encode(fault, wrapped=False) + b"\n\n"
    else:
        yield _DONE
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
