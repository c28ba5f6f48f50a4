"""Azure ML's and Vertex AI's bodies: JSON rows in, one plain value a row out.

Numbers may come as text (Vertex's callers send every cell so): a column that the model knows as
numbers takes them.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from polyhost.codecs import Answer, Request, split_content_type
from polyhost.codecs.csv_header import names_of
from polyhost.codecs.labels import values_of
from polyhost.codecs.number_texts import as_numbers
from polyhost.codecs.together import Asked, answer_all, answer_one
from polyhost.data.payload import Buffer, Scores
from polyhost.errors import InvalidInput, SettingsError, UnsupportedContentType
from polyhost.formats import json, rows
from polyhost.pipeline import batching
from polyhost.predictor import Predictor

AZURE_FORMS = ("data", "input_data", "Inputs")


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Answer one request."""
    read, write = _halves(predictor, request)
    return answer_one(predictor, body, read, write)


def answer_many(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer]
) -> List[Union[Answer, Exception]]:
    """Answer a batch; bodies that are alike go through one call."""
    read, write = _halves(predictor, request)
    return answer_all(predictor, request, bodies, read, write)


def _halves(predictor: Predictor, request: Request) -> Any:
    try:
        platform = _PLATFORMS[request.options["platform"]]
    except KeyError:
        raise SettingsError(
            f"unknown platform in {dict(request.options)}: expected {', '.join(_PLATFORMS)}."
        ) from None
    return partial(_read, platform, predictor, request), partial(_write, predictor)


def _read(
    platform: Callable[[Mapping[str, Any]], Any],
    predictor: Predictor,
    request: Request,
    body: Buffer,
) -> Asked:
    mimetype, _ = split_content_type(request.content_type)
    if mimetype.lower() not in ("", "application/json"):
        raise UnsupportedContentType(
            f"the content type {mimetype!r} is not supported here: expected application/json. "
            "/invocations takes other formats.",
            content_type=mimetype,
        )
    value = json.loads(body)
    form, wrapped = platform(value) if isinstance(value, dict) else (value, None)
    found = rows.decode_value(
        form, request.options.get("max_rows"), lambda width: names_of(predictor, width)
    )
    return Asked(as_numbers(found, predictor), wrapped)


def _azure(value: Mapping[str, Any]) -> Any:
    """The rows in one of the bodies that score scripts, MLflow models and AutoML's take."""
    found = [key for key in AZURE_FORMS if key in value]
    if not found:
        return value, None
    if len(found) > 1:
        raise InvalidInput(f"expected one of {', '.join(AZURE_FORMS)}; found {', '.join(found)}.")
    form = value[found[0]]
    if found[0] == "Inputs":
        if not isinstance(form, dict) or len(form) != 1:
            raise InvalidInput('"Inputs" must be an object with one table: {"data": [...]}.')
        (form,) = form.values()
        return {"instances": form}, "Results"
    if isinstance(form, dict) and "data" in form and "columns" in form:
        return {"dataframe_split": form}, None
    return {"instances": form}, None


def _vertex(value: Mapping[str, Any]) -> Any:
    if "instances" not in value:
        raise InvalidInput(
            'the body has no "instances": expected {"instances": [...]} with an item a row; found '
            f"{', '.join(map(repr, value)) or 'no keys'}."
        )
    return {"instances": value["instances"]}, "predictions"


_PLATFORMS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {"azure": _azure, "vertex": _vertex}


def _write(
    predictor: Predictor, scores: Scores, counts: Sequence[int], wrapped: Optional[str]
) -> List[Answer]:
    target = predictor.info.target
    found = []
    for part in batching.split(scores, counts):
        values: List[Any] = values_of(part, target)
        body: Union[List[Any], Dict[str, Any]] = {wrapped: values} if wrapped else values
        found.append(Answer(json.dumps(body)))
    return found
