"""How DRUM's structured routes find the data in a body: by type, or by a part's file name."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, Mapping, Sequence

from polyhost.codecs import Request, split_content_type
from polyhost.codecs.accept import FORMS, LINES
from polyhost.codecs.csv_header import names_of, with_header
from polyhost.data.payload import Buffer, Payload, Table
from polyhost.errors import InvalidInput, UnsupportedContentType
from polyhost.formats import arrow, multipart, rows, sparse
from polyhost.pipeline.apply_schema import raw_names
from polyhost.predictor import Predictor

CSV = "text/csv"
JSON = "application/json"
_CSV_TYPES = ("", CSV, "text/plain")
_PART_TYPES = {
    ".mtx": sparse.MIMETYPE,
    ".arrow": arrow.MIMETYPES[0],
    ".parquet": arrow.PARQUET,
}
_NO_SAMPLES = (
    "Samples should be provided as:   - a csv or mtx under `X` form-data param key.  - binary data"
)


def read_payload(predictor: Predictor, request: Request, body: Buffer) -> Payload:
    """The request's rows as a payload, decoded already where the body is JSON or Arrow.

    A ``read_input_data`` hook gets the bytes whatever their type.
    """
    mimetype, charset = split_content_type(request.content_type)
    kind = mimetype.lower()
    parts: Mapping[str, Buffer] = {}
    if kind == "multipart/form-data":
        body, mimetype, parts = _read_form(request.content_type, body)
        kind = mimetype
    elif not len(body) or kind == "application/x-www-form-urlencoded":
        raise InvalidInput(_NO_SAMPLES)
    table = None
    if "read_input_data" not in predictor.info.hooks:
        limit = request.options.get("max_rows")
        if kind == JSON or FORMS.get(kind) == LINES:
            table = table_of(predictor, *read_rows(predictor, request, body))
        elif kind in arrow.COLUMNAR:
            table = arrow.read_table(body, kind, lambda names: _raw(predictor, names), limit)
        elif kind in _CSV_TYPES:
            body = with_header(predictor, request, body) if not parts else body
        elif kind != sparse.MIMETYPE:
            raise _unsupported(request.content_type)
    return Payload(
        body, mimetype, charset, request.query, request.headers, parts, table, request.options
    )


def read_rows(predictor: Predictor, request: Request, body: Buffer) -> rows.Rows:
    """Names and cells of a JSON body, or of one of JSON lines; rows without names have the model's."""
    mimetype, _ = split_content_type(request.content_type)
    read = rows.decode if mimetype.lower() == JSON else rows.decode_lines
    return read(body, request.options.get("max_rows"), lambda width: names_of(predictor, width))


def table_of(predictor: Predictor, names: Sequence[str], cells: Sequence[List[Any]]) -> Table:
    """JSON rows as a table; cells keep what the client wrote where the model's schema types them."""
    raw = _raw(predictor, names)
    return rows.table(names, cells, numeric=predictor.info.guest.matrix, raw=raw)


def _raw(predictor: Predictor, names: Sequence[str]) -> FrozenSet[str]:
    info = predictor.info
    return raw_names(info.guest, names) if info.typed else frozenset()


def _read_form(content_type: str, body: Buffer) -> tuple[Buffer, str, Dict[str, Buffer]]:
    form = multipart.parse(content_type, body)
    samples = form.pop("X", None)
    if samples is None or not len(samples.body):
        raise InvalidInput(_NO_SAMPLES)
    name = samples.filename or ""
    extension = name[name.rfind(".") :] if "." in name else ""
    mimetype = _PART_TYPES.get(extension, CSV)
    return samples.body, mimetype, {key: part.body for key, part in form.items()}


def _unsupported(content_type: str) -> UnsupportedContentType:
    return UnsupportedContentType(
        f"payload format {content_type!r} is not supported: expected text/csv, {JSON}, {LINES}, "
        f"{sparse.MIMETYPE}, {arrow.MIMETYPES[0]}, {arrow.MIMETYPES[2]}, {arrow.PARQUET} or "
        "multipart/form-data with a part `X`.",
        content_type=content_type,
    )
