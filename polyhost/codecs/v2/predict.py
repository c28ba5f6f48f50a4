"""Answers inference requests, alone or several in one call; the same for REST and gRPC."""

from __future__ import annotations

import logging
from typing import Any, Callable, Dict, List, Sequence, Tuple

from polyhost.codecs import Request, split_content_type
from polyhost.codecs.v2.datatypes import BYTES, array_of
from polyhost.codecs.v2.inputs import decoded_base64, gathered, rows_in, rows_of, signature
from polyhost.codecs.v2.message import InferRequest, Made, Output
from polyhost.codecs.v2.outputs import PREDICT, TEXT, Results, transformed, unknown_output
from polyhost.data.payload import Payload, Scores, Table
from polyhost.data.target import TargetType
from polyhost.errors import InvalidInput
from polyhost.formats.rows import check_count, objects
from polyhost.formats.text import unstructured_output
from polyhost.pipeline import batching
from polyhost.pipeline.marshal import check_rows
from polyhost.predictor import Predictor

logger = logging.getLogger(__name__)

Outputs = List[Output]


def infer(predictor: Predictor, request: Request, found: InferRequest) -> Outputs:
    """The outputs of one request."""
    target = predictor.info.target.type
    if target.is_structured:
        return _chosen(predictor, found, _predicted(predictor, request, found))
    if target is TargetType.TRANSFORM:
        table = rows_of(found, predictor.info)
        if not isinstance(table, Table):
            raise InvalidInput(
                "expected one input for each column, of the shape [rows] or [rows, 1]."
            )
        payload = Payload(b"", table=table, options=request.options)
        return transformed(predictor.transform(payload), found.outputs)
    return _unstructured(predictor, request, found)


def infer_many(
    predictor: Predictor,
    request: Request,
    bodies: Sequence[Any],
    decode: Callable[[Any], InferRequest],
) -> List[Tuple[Any, Any]]:
    """Request and outputs of each body, the outputs of those that are alike from one call.

    An exception stands in place of either.
    """
    read = [batching.attempt(decode, body) for body in bodies]
    outcomes: List[Any] = list(read)
    groups: Dict[Any, List[int]] = {}
    for i, found in enumerate(read):
        if isinstance(found, InferRequest):
            outcomes[i] = batching.attempt(rows_in, found)
            if not isinstance(outcomes[i], Exception):
                groups.setdefault(signature(found), []).append(i)
    for alike in groups.values():
        counts = [outcomes[i] for i in alike]
        for members in batching.packs(alike, counts, request.options.get("call_rows")):
            together = [read[i] for i in members]
            rows = [outcomes[i] for i in members]
            for i, answer in zip(members, _together(predictor, request, together, rows)):
                outcomes[i] = answer
    return list(zip(read, outcomes))


def _together(
    predictor: Predictor, request: Request, found: Sequence[Any], counts: Sequence[int]
) -> List[Any]:
    """Outputs of requests that are alike, from one call; after a failure each is predicted alone."""
    if len(found) > 1 and predictor.info.batchable:
        try:
            limit = request.options.get("max_rows")
            for count in counts:
                check_count(count, limit)
            scores = predictor.predict(rows_of(gathered(found), predictor.info))
        except Exception as error:
            logger.debug("a batch of %d failed, its members run singly: %s", len(found), error)
        else:
            if scores.predictions.rows == sum(counts):
                return _split(predictor, scores, found, counts)
    return [batching.attempt(lambda one: infer(predictor, request, one), one) for one in found]


def _split(
    predictor: Predictor, scores: Scores, found: Sequence[InferRequest], counts: Sequence[int]
) -> List[Any]:
    results = Results(scores, predictor.info)
    answers: List[Any] = []
    start = 0
    for one, count in zip(found, counts):
        stop = start + count
        answers.append(
            batching.attempt(lambda r, a=start, b=stop: results.chosen(r.outputs, a, b), one)  # type: ignore[misc]
        )
        start = stop
    return answers


def _predicted(predictor: Predictor, request: Request, found: InferRequest) -> Scores:
    rows = rows_in(found)
    check_count(rows, request.options.get("max_rows"))
    scores = predictor.predict(rows_of(found, predictor.info))
    check_rows(scores, rows, strict=True)
    return scores


def _chosen(predictor: Predictor, found: InferRequest, scores: Scores) -> Outputs:
    rows = scores.predictions.rows
    return Results(scores, predictor.info).chosen(found.outputs, 0, rows)


# Models that take any body


def _unstructured(predictor: Predictor, request: Request, found: InferRequest) -> Outputs:
    """One BYTES element is the body, and so is the answer."""
    for wanted in found.outputs:
        if wanted.name != PREDICT:
            raise unknown_output(wanted.name, [PREDICT])
    body, kind = _body_of(found)
    mimetype, charset = split_content_type(kind)
    payload = Payload(
        body, mimetype, charset, request.query, request.headers, options=request.options
    )
    content, kind = unstructured_output(predictor.answer(payload))
    whole = content if isinstance(content, bytes) else b"".join(content)
    return [_answer(whole, kind)]


def _body_of(found: InferRequest) -> Tuple[bytes, str]:
    if len(found.inputs) != 1 or found.inputs[0].datatype != BYTES:
        raise InvalidInput(
            "this model takes a body of any kind: expected one input of datatype BYTES."
        )
    tensor = found.inputs[0]
    values = array_of(tensor)
    if len(values) != 1 or values[0] is None:
        raise InvalidInput(
            f"input {tensor.name!r} has {len(values)} element(s): expected one, which is the body."
        )
    value, kind = values[0], tensor.content_type or found.content_type
    if kind == "base64":
        return decoded_base64(tensor, 0, value), "application/octet-stream"
    text = "text/plain; charset=utf-8"
    if isinstance(value, bytes):
        return value, text if kind == "str" else kind if "/" in kind else "application/octet-stream"
    return value.encode("utf-8", "surrogatepass"), kind if "/" in kind else text


def _answer(body: bytes, kind: str) -> Output:
    mimetype, charset = split_content_type(kind)
    parameters: Dict[str, Any] = {"mimetype": kind}
    value: Any = body
    if charset is not None or mimetype.startswith("text/") or mimetype == "application/json":
        try:
            value = body.decode(charset or "utf-8")
            parameters.update(TEXT)
        except (LookupError, UnicodeDecodeError):
            pass  # bytes, then
    return Output(Made(PREDICT, BYTES, objects([value]), parameters), 0, 1)
