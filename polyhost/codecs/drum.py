"""DRUM's dialect: structured, unstructured and transform requests.

JSON rows (MLflow's ``dataframe_split`` and ``dataframe_records``) are answered in DRUM's shape.
Those of one batch with the same columns are gathered and predicted in one call.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Callable, Dict, List, Mapping, Sequence, Union

from polyhost.codecs import Answer, Request, deployment, outputs, predictions, split_content_type
from polyhost.codecs.inputs import JSON, read_payload, read_rows
from polyhost.codecs.labels import values_of
from polyhost.codecs.together import Asked, answer_all
from polyhost.data.payload import Buffer, Payload, Scores, SparseTable, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidOutput, SettingsError, WrongEndpoint
from polyhost.formats import json, multipart, sparse
from polyhost.formats.csv import write_table
from polyhost.formats.text import unstructured_output
from polyhost.pipeline import batching
from polyhost.predictor import Predictor

_ROUTES = {
    TargetType.UNSTRUCTURED: "/predictUnstructured/",
    TargetType.TRANSFORM: "/transform/",
}


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Answer one request."""
    try:
        handle = _OPS[request.op]
    except KeyError:
        raise SettingsError(
            f"unknown operation {request.op!r}: expected one of {', '.join(_OPS)}."
        ) from None
    return handle(predictor, request, body)


def answer_many(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer]
) -> List[Union[Answer, Exception]]:
    """Answer a batch: JSON rows in one call where the model allows it, anything else singly."""
    mimetype, _ = split_content_type(request.content_type)
    together = predictor.info.batchable and request.op == "predict" and mimetype == JSON
    if not together or len(bodies) == 1:
        return [batching.attempt(lambda b: answer(predictor, request, b), b) for b in bodies]

    def read(body: Buffer) -> Asked:
        return Asked(read_rows(predictor, request, body), _is_bare(request, body))

    return answer_all(predictor, request, bodies, read, partial(_answers, predictor, request))


def _is_bare(request: Request, body: Buffer) -> bool:
    """Whether a body of records is one of MLflow 1, which is answered by a bare list."""
    bare = request.options.get("bare_records")
    if not bare:
        return False
    if "format=pandas-records" in request.content_type.replace(" ", "").lower():
        return True
    start = bytes(body[:64]).lstrip()
    return bare == "always" and start[:1] == b"[" and start[1:].lstrip()[:1] == b"{"


def _answers(
    predictor: Predictor,
    request: Request,
    scores: Scores,
    counts: Sequence[int],
    bare: bool,
) -> List[Answer]:
    target = predictor.info.target
    if bare:
        values = (values_of(part, target) for part in batching.split(scores, counts))
        return [Answer(json.in_ascii(json.dumps(part))) for part in values]
    if request.accept:
        parts = batching.split(scores, counts)
        return [outputs.encode(predictions.columns_of(part, target), request) for part in parts]
    settings = request.options.get("deployment_config")
    if settings:
        bodies = [
            deployment.encode(part, target, settings) for part in batching.split(scores, counts)
        ]
    else:
        bodies = predictions.encode_parts(scores, target, counts)
    return [Answer(body) for body in bodies]


def _predict(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    target = predictor.info.target
    if not target.type.is_structured:
        raise WrongEndpoint(
            f"This model has target type '{target.type.value}', "
            f"use the {_ROUTES[target.type]} endpoint.",
            target_type=target.type.value,
        )
    scores = predictor.predict(read_payload(predictor, request, body))
    is_json = split_content_type(request.content_type)[0].lower() == JSON
    bare = is_json and _is_bare(request, body)
    return _answers(predictor, request, scores, [scores.predictions.rows], bare)[0]


def _unstructured(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    target = predictor.info.target
    if target.type is not TargetType.UNSTRUCTURED and not target.type.is_text:
        raise _structured_model(target)
    payload = request.payload(body)
    if payload.headers is not None:
        payload = replace(payload, headers=_canonical(payload.headers))
    content, content_type = unstructured_output(predictor.answer(payload))
    return Answer(content, content_type)


def _canonical(headers: Mapping[str, str]) -> Dict[str, str]:
    """Header names as hooks expect them: ``Content-Type``, whatever the client wrote."""
    return {
        "-".join(word.capitalize() for word in name.split("-")): value
        for name, value in headers.items()
    }


def _transform(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    target = predictor.info.target
    if target.type is TargetType.UNSTRUCTURED:
        raise WrongEndpoint(
            f"This model has target type 'TargetType.{target.type.name}', use the {_ROUTES[target.type]} endpoint.",
            target_type=target.type.value,
        )
    if target.type is not TargetType.TRANSFORM:
        raise _structured_model(target)
    payload = read_payload(predictor, request, body)
    table = predictor.transform(payload)
    if request.accept:
        return outputs.encode(Table(_header(table.names), table.columns), request)
    content, content_type = multipart.encode(_transformed(table, payload))
    return Answer(content, content_type)


def _structured_model(target: Target) -> WrongEndpoint:
    return WrongEndpoint(
        f"This model has target type 'TargetType.{target.type.name}', use the /predict/ endpoint.",
        target_type=target.type.value,
    )


def _transformed(table: Table, payload: Payload) -> List[multipart.FormPart]:
    names = _header(table.names)
    parts = []
    if isinstance(table, SparseTable):
        parts.append(multipart.FormPart("X.format", b"sparse"))
        parts.append(_file("X.transformed", sparse.write(table)))
        parts.append(_file("X.colnames", "\n".join(names).encode("utf-8")))
    else:
        text = write_table(Table(names, table.columns), newline="\r\n")
        parts.append(multipart.FormPart("X.format", b"csv"))
        parts.append(_file("X.transformed", text[:-2]))
    if "y" in payload.parts:
        parts.append(multipart.FormPart("y.format", b"csv"))
        parts.append(_file("y.transformed", payload.parts["y"]))
    return parts


def _file(name: str, body: Buffer) -> multipart.FormPart:
    return multipart.FormPart(name, body, name, "application/octet-stream")


def _header(names: Sequence[str]) -> List[str]:
    header = [name.strip().replace("\n", "\\n") for name in names]
    if not all(header):
        raise InvalidOutput(
            f"transform returned a column without a name: expected a name for each; found "
            f"{list(names)}.",
            found=list(names),
        )
    return header


_OPS: Dict[str, Callable[[Predictor, Request, Buffer], Answer]] = {
    "predict": _predict,
    "unstructured": _unstructured,
    "transform": _transform,
}
