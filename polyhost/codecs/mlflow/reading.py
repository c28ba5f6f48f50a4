"""Bodies of MLflow's protocol as what the model is asked with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

from polyhost.codecs import Request
from polyhost.codecs.mlflow import values
from polyhost.codecs.mlflow.frame import Frame
from polyhost.data.payload import Buffer, Payload, Table
from polyhost.data.signature import FLOATS, Signature
from polyhost.errors import InvalidInput, SchemaMismatch, UnsupportedContentType
from polyhost.formats import arrow, json, rows
from polyhost.pipeline.signature.columns import check_strict
from polyhost.predictor import Predictor

JSON = "application/json"
CSV = "text/csv"
NUMPY_SPLIT = "application/json-numpy-split"
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
LLM_KEYS = ("messages", "prompt", "input")
_FORMATS = {"pandas-split": "split", "pandas-records": "records"}
_SPLIT_KEYS = {"columns", "index", "data"}


@dataclass(frozen=True)
class Input:
    """What a body asks: ``data`` is a :class:`Frame`, a Table, a Payload, arrays or a plain value.

    ``wrapped``: the answer is an object with ``predictions``; those of 1.x are bare. ``stream``:
    it is sent part by part.
    """

    data: Any
    params: Optional[Mapping[str, Any]] = None
    wrapped: bool = True
    stream: bool = False


def read(predictor: Predictor, request: Request, body: Buffer) -> Input:
    """What a body asks; InvalidInput or UnsupportedContentType says what is wrong with it."""
    kind, form = _content_type(request.content_type)
    signature = getattr(predictor, "signature", None)
    limit = request.options.get("max_rows")
    if kind in arrow.COLUMNAR:
        table = arrow.read_table(body, kind, lambda names: frozenset(names), limit)
        if signature is not None and signature.columns is not None:
            check_strict(signature.columns, table)
        return Input(table)
    if kind == CSV:
        _only_frames(signature)
        return Input(Payload(body, CSV, options=request.options))
    given = _of_json(signature, json.loads(body), form)
    if isinstance(given.data, Frame):
        rows.check_count(len(given.data.rows), limit)
    return given


def table_of(predictor: Predictor, frame: Frame) -> Table:
    """A frame's cells as a table; those that the signature types stay as the client wrote them."""
    info = predictor.info
    frame.check()
    signature = getattr(predictor, "signature", None)
    raw: FrozenSet[str] = frozenset()
    if signature is not None and signature.columns is not None:
        raw = _raw(signature, frame.names)
    table = rows.table(frame.names, frame.rows, numeric=info.guest.matrix, raw=raw)
    table.labels = frame.labels
    table.index = frame.index
    return table


def _raw(signature: Signature, names: Sequence[str]) -> FrozenSet[str]:
    assert signature.columns is not None
    if signature.named:
        return signature.exact
    places = zip(names, signature.columns)
    return frozenset(name for name, column in places if column.type.kind not in FLOATS)


# Content types


def _content_type(sent: str) -> Tuple[str, str]:
    """The type in lower case, and the layout that its ``format`` names; an error for others."""
    first, *others = sent.split(";")
    kind, form = first.strip().lower(), ""
    known = (JSON, CSV, NUMPY_SPLIT, *arrow.COLUMNAR)
    if kind not in known:
        shown = f"'{sent}'" if sent else "missing"
        raise UnsupportedContentType(
            "This predictor only supports the following content types: "
            f"{', '.join(known)}. Got {shown}."
        )
    for other in others:
        key, _, value = other.partition("=")
        key, value = key.strip().lower(), value.strip().strip('"')
        if key == "charset":
            if value.lower() not in ("utf-8", "utf8"):
                raise UnsupportedContentType(
                    f"The scoring server only supports UTF-8. Got charset {value!r}."
                )
        elif key == "format" and kind == JSON and value in _FORMATS:
            form = _FORMATS[value]
        elif key:
            raise UnsupportedContentType(
                f"Unrecognized content type parameters: {key}. Expected charset=utf-8, or of 1.x "
                f"clients format={' or format='.join(_FORMATS)}. Since MLflow 2.0 the layout is a "
                f"key of the JSON object: {', '.join(FORMS)}."
            )
    return kind, "split" if kind == NUMPY_SPLIT else form


def _only_frames(signature: Optional[Signature]) -> None:
    if signature is not None and signature.from_hints:
        raise SchemaMismatch(
            "this model's input is checked by its own type hints, which take only JSON with the "
            "key 'inputs'. Send {\"inputs\": [...]}."
        )


# JSON


def _of_json(signature: Optional[Signature], value: Any, form: str) -> Input:
    if form:  # a client of 1.x says so
        frame = Frame.of_split(value) if form == "split" else Frame.of_records(value)
        return Input(frame, wrapped=False)
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return Input(Frame.of_records(value), wrapped=False)
    if not isinstance(value, dict):
        raise InvalidInput(
            "Invalid input. The input must be a JSON dictionary with exactly one of the input "
            f"fields {', '.join(FORMS)}; found {type(value).__name__}."
        )
    if any(key in value for key in LLM_KEYS):
        return _of_llm(signature, value)
    found = [key for key in FORMS if key in value]
    if not found and "data" in value and set(value) <= _SPLIT_KEYS:
        return Input(Frame.of_split(value), wrapped=False)
    if len(found) != 1:
        raise InvalidInput(
            "Invalid input. The input must be a JSON dictionary with exactly one of the input "
            f"fields {', '.join(FORMS)}. Received dictionary with input fields: "
            f"{', '.join(found) or 'none of them'} (keys: {', '.join(map(repr, value)) or 'none'})."
        )
    params = value.get("params")
    if params is not None and not isinstance(params, dict):
        raise InvalidInput(
            f"Invalid input. 'params' must be a dictionary; found {type(params).__name__}."
        )
    data = _of_form(signature, found[0], value[found[0]])
    return Input(data, params)


def _of_form(signature: Optional[Signature], form: str, value: Any) -> Any:
    if signature is not None and signature.from_hints:
        if form != "inputs":
            _only_frames(signature)
        return value
    if form == "dataframe_split":
        return Frame.of_split(value)
    if form == "dataframe_records":
        return Frame.of_records(value)
    if form == "instances":
        values.check_instances(signature, value)
    if signature is not None and signature.columns is not None:
        return values.frame_of(signature.columns, value)
    if signature is not None and signature.tensors is not None:
        return values.columns_of_rows(value)
    return values.arrays(value, columns=form == "instances")


def _of_llm(signature: Optional[Signature], value: Dict[str, Any]) -> Input:
    """A chat or a completion: the whole object is the model's, save what are parameters."""
    declared = {p.name for p in (signature.params or () if signature is not None else ())}
    params = {key: item for key, item in value.items() if key in declared}
    rest = {key: item for key, item in value.items() if key not in declared}
    data: Any = rest
    if signature is not None and signature.columns is not None and not signature.from_hints:
        data = Frame.of_cells(list(rest), [list(rest.values())])
    return Input(data, params, wrapped=False, stream=value.get("stream") is True)


__all__: List[str] = ["Frame", "Input", "read", "table_of"]
