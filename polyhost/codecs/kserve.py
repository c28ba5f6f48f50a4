"""KServe's V1 protocol: ``{"instances": [...]}`` in, ``{"predictions": [...]}`` out; CloudEvents around them.

``options`` of a request hold the model's name; of a CloudEvent also ``event``, see
:mod:`polyhost.codecs.cloud_events`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Dict, List, Optional, Sequence, Union

from polyhost.codecs import Answer, Request
from polyhost.codecs.cloud_events import enclosed, opened
from polyhost.codecs.csv_header import names_of
from polyhost.codecs.labels import values_of
from polyhost.codecs.number_texts import as_numbers
from polyhost.codecs.together import Asked, answer_all, answer_one
from polyhost.codecs.v2.message import Wanted
from polyhost.codecs.v2.outputs import PROBABILITIES, Results
from polyhost.data.column_info import LIST
from polyhost.data.payload import Buffer, Scores
from polyhost.errors import InvalidInput, WrongEndpoint
from polyhost.formats import json, rows
from polyhost.pipeline import batching
from polyhost.predictor import Predictor

PROBA = "proba"


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Answer one request, or the event that one is in."""
    _check_target(predictor)
    settings = request.options.get("event")
    if settings is None:
        return answer_one(
            predictor, body, partial(_read, predictor, request), partial(_write, predictor)
        )
    attributes, data = opened(settings, body)
    read = partial(_read_value, predictor, request)
    found = answer_one(predictor, b"", lambda _: read(data), partial(_write, predictor))
    return enclosed(found, attributes, settings, request.options["model"])


def answer_many(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer]
) -> List[Union[Answer, Exception]]:
    """Answer a batch; bodies that are alike go through one call."""
    if "event" in request.options:
        return [batching.attempt(lambda b: answer(predictor, request, b), b) for b in bodies]
    _check_target(predictor)
    read, write = partial(_read, predictor, request), partial(_write, predictor)
    return answer_all(predictor, request, bodies, read, write)


def _check_target(predictor: Predictor) -> None:
    target = predictor.info.target.type
    if not target.is_structured:
        raise WrongEndpoint(
            f"a model of the target type {target.value!r} has no predictions a row: ask it by "
            "/v2/models/NAME/infer.",
            target_type=target.value,
        )


# Instances


def _read(predictor: Predictor, request: Request, body: Buffer) -> Asked:
    return _read_value(predictor, request, json.loads(body))


def _read_value(predictor: Predictor, request: Request, value: Any) -> Asked:
    if not isinstance(value, dict):
        raise InvalidInput('the body is no JSON object: expected {"instances": [...]}.')
    form = "inputs" if "inputs" in value else "instances"
    if form not in value:
        raise InvalidInput(
            'the body has no "instances": expected {"instances": [...]} with an item a row; found '
            f"{', '.join(map(repr, value)) or 'no keys'}."
        )
    parameters = value.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise InvalidInput("'parameters' must be an object.")
    items = _flattened(value[form], predictor)
    found = rows.decode_value(
        {"instances": items},
        request.options.get("max_rows"),
        lambda width: names_of(predictor, width),
    )
    wants = parameters is not None and parameters.get("return_proba") is True
    return Asked(as_numbers(found, predictor), PROBA if wants else None)


def _flattened(items: Any, predictor: Predictor) -> Any:
    """The instances, an object of lists being as many rows as its lists are long."""
    if not isinstance(items, list) or not any(type(item) is dict for item in items):
        return items
    lists = {column.name for column in predictor.info.guest.columns if column.kind == LIST}
    found: List[Any] = []
    for item in items:
        found += _rows_of(item, lists) if type(item) is dict else [item]
    return found


def _rows_of(item: Dict[str, Any], lists: Any) -> List[Any]:
    if not item or lists & item.keys() or any(type(cell) is not list for cell in item.values()):
        return [item]
    if len(set(map(len, item.values()))) > 1:
        raise InvalidInput(
            "an instance is an object of lists of different lengths: expected as many cells in each."
        )
    return [dict(zip(item, cells)) for cells in zip(*item.values())]


# Predictions


def _write(
    predictor: Predictor, scores: Scores, counts: Sequence[int], form: Optional[str]
) -> List[Answer]:
    info = predictor.info
    answers, start = [], 0
    probabilities = form == PROBA and info.target.type.is_classification
    results = Results(scores, info) if probabilities else None
    for part, count in zip(batching.split(scores, counts), counts):
        values: List[Any] = values_of(part, info.target)
        if results is not None:
            (output,) = results.chosen([Wanted(PROBABILITIES)], start, start + count)
            classes = json.loads(str(output.made.parameters["classes"]).encode())
            values = [
                {"label": label, **dict(zip(classes, row))}
                for label, row in zip(values, output.values.tolist())
            ]
        start += count
        answers.append(Answer(json.dumps({"predictions": values})))
    return answers
