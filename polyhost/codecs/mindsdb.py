"""MindsDB's bodies: a table inside a JSON string, or a Parquet file in a form; columns come back.

Both generations of its clients are read: a list of records, and a dictionary of columns whose rows
have numbers as keys.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Union

from polyhost.codecs import Answer, Request, split_content_type
from polyhost.codecs.labels import finite, probabilities_of, values_of
from polyhost.codecs.number_texts import as_numbers
from polyhost.codecs.predictions import cells, doubles
from polyhost.codecs.together import Asked, answer_all, answer_one
from polyhost.data.payload import Buffer, Scores, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidInput, SettingsError, UnsupportedContentType
from polyhost.formats import arrow, json, multipart, rows, tables
from polyhost.pipeline import batching
from polyhost.predictor import Predictor

BINARY = "application/octet-stream"
"""The type of a Parquet file, in both directions."""
_ROW_ID = "__mindsdb_row_id"
_NO_PARAMETERS = frozenset(("train_url", "predict_url", "target", "is_parquet", "engine", "format"))
"""Keys of a query's USING clause that are MindsDB's own."""
_PARQUET_TYPES = (BINARY, *arrow.PARQUETS)


class _Envelope(NamedTuple):
    """The parts of a body; ``df`` is a table already where it came as Parquet."""

    df: Any
    rest: Mapping[str, Any]


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Answer one request: ``predict`` or ``train``."""
    if request.op == "train":
        return _train(predictor, request, body)
    if request.op != "predict":
        raise SettingsError(f"unknown operation {request.op!r}: expected predict or train.")
    envelope = _open(request, body)
    if isinstance(envelope.df, Table):
        table = envelope.df.select(_kept(predictor, envelope.df.names))
        return _write(predictor, True, predictor.predict(table), [table.rows], None)[0]
    asked = Asked(_rows(predictor, request, envelope))
    return answer_one(predictor, body, lambda _: asked, _writer(predictor, request))


def answer_many(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer]
) -> List[Union[Answer, Exception]]:
    """Answer a batch; bodies of JSON that are alike go through one call."""
    if _is_form(request):
        return [batching.attempt(lambda body: answer(predictor, request, body), b) for b in bodies]

    def read(body: Buffer) -> Asked:
        return Asked(_rows(predictor, request, _open(request, body)))

    return answer_all(predictor, request, bodies, read, _writer(predictor, request))


# Bodies


def _is_form(request: Request) -> bool:
    return split_content_type(request.content_type)[0].lower() == "multipart/form-data"


def _open(request: Request, body: Buffer) -> _Envelope:
    mimetype = split_content_type(request.content_type)[0].lower()
    if mimetype == "multipart/form-data":
        return _open_form(request, body)
    if mimetype not in ("", "application/json"):
        raise UnsupportedContentType(
            f"the content type {mimetype!r} is not MindsDB's: expected application/json or "
            "multipart/form-data.",
            content_type=mimetype,
        )
    value = json.loads(body)
    if isinstance(value, list):
        return _Envelope(value, {})
    if not isinstance(value, dict) or "df" not in value:
        raise InvalidInput(
            "the body has no table: expected a JSON object whose 'df' is the text of a list of "
            "records, or of an object of columns."
        )
    df = value["df"]
    return _Envelope(json.loads(df.encode("utf-8")) if isinstance(df, str) else df, value)


def _open_form(request: Request, body: Buffer) -> _Envelope:
    form = multipart.parse(request.content_type, body)
    part = form.pop("df", None)
    if part is None or not len(part.body):
        raise InvalidInput("the form has no table: expected a Parquet file in its part 'df'.")
    limit = request.options.get("max_rows")
    table = arrow.read_table(part.body, arrow.PARQUET, limit=limit)
    rest: Dict[str, Any] = {}
    for name, other in form.items():
        text = str(other.body, "utf-8", "replace")
        rest[name] = json.loads(other.body) if text.lstrip()[:1] == "{" else text
    return _Envelope(table, rest)


def _rows(predictor: Predictor, request: Request, envelope: _Envelope) -> rows.Rows:
    limit = request.options.get("max_rows")
    names, data = rows.decode_value({"instances": _records(envelope.df)}, limit)
    kept = _kept(predictor, names)
    if len(kept) < len(names):
        names = tuple(names[i] for i in kept)
        data = [[row[i] for i in kept] for row in data]
    return as_numbers((names, data), predictor)


def _records(df: Any) -> Any:
    """A dictionary of columns as lists, its rows in the order in which they stand."""
    if not isinstance(df, dict):
        return df
    columns = {
        name: list(column.values()) if isinstance(column, dict) else column
        for name, column in df.items()
    }
    orders = {tuple(column) for column in df.values() if isinstance(column, dict)}
    if len(orders) > 1:
        raise InvalidInput(
            "the columns of 'df' have different rows: expected the same keys in each."
        )
    return columns


def _kept(predictor: Predictor, names: Sequence[str]) -> List[int]:
    """Positions of the columns that are the query's: MindsDB adds a number of the row, and may add
    the target."""
    info = predictor.info
    known = {column.name for column in info.guest.columns}
    own = {_ROW_ID, info.target.name or ""} - known
    return [i for i, name in enumerate(names) if name not in own]


# Answers


def _writer(predictor: Predictor, request: Request) -> Any:
    accepted = request.accept.partition(";")[0].strip().lower()
    return partial(_write, predictor, accepted in _PARQUET_TYPES)


def _write(
    predictor: Predictor, parquet: bool, scores: Scores, counts: Sequence[int], form: Any
) -> List[Answer]:
    found = []
    for part in batching.split(scores, counts):
        columns = _columns(part, predictor.info.target)
        if parquet:
            table = Table(tuple(columns), [rows.column(values) for values in columns.values()])
            found.append(Answer(arrow.write_parquet(table), BINARY))
        else:
            found.append(Answer(json.dumps(columns)))
    return found


def _columns(scores: Scores, target: Target) -> Dict[str, List[Any]]:
    """The prediction, how sure a classifier is of it, and what the model adds under its own names."""
    found: Dict[str, List[Any]] = {"prediction": values_of(scores, target)}
    if target.type in (TargetType.BINARY, TargetType.MULTICLASS):
        found["confidence"] = list(probabilities_of(scores))
        values = doubles(scores.predictions)
        for i, name in enumerate(scores.predictions.names):
            found[f"{name}_probability"] = list(finite(values[:, i]))
    if scores.extra is not None:
        for name, column in scores.extra:
            if name != "prediction":
                found[name] = [_scalar(cell) for cell in cells(column, name)]
    return found


def _scalar(cell: Any) -> Any:
    """A cell as SQL has it: no list, no object."""
    return json.dumps(cell).decode("utf-8") if isinstance(cell, (list, dict, tuple)) else cell


# Training


def _train(predictor: Any, request: Request, body: Buffer) -> Answer:
    from polyhost.pipeline.train import to_wire

    envelope = _open(request, body)
    args = envelope.rest.get("args")
    args = args if isinstance(args, dict) else {}
    target: Optional[Any] = envelope.rest.get("target") or args.get("target")
    if target is not None and not isinstance(target, str):
        raise InvalidInput(f"'target' must be the name of a column; found {target!r}.")
    parameters = {name: value for name, value in args.items() if name not in _NO_PARAMETERS}
    table = envelope.df
    if not isinstance(table, Table):
        names, data = rows.decode_value({"instances": _records(table)})
        table = rows.table(names, data, numeric=False)
    tables.check_names(table.names)
    table = table.select([i for i, name in enumerate(table.names) if name != _ROW_ID])
    return Answer(json.dumps(to_wire(predictor.train(table, target, parameters))))
