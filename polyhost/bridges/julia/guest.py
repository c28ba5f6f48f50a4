"""A model as Julia holds it: the bridge's :class:`~polyhost.predictor.Guest`."""

from __future__ import annotations

import ctypes
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterator, List, Optional, Sequence, Tuple, Union

from polyhost import errors
from polyhost.bridges.julia import jlso
from polyhost.bridges.julia import runtime as rt
from polyhost.bridges.julia.columns import Block, block_of, example_of, table_from
from polyhost.data.column_info import ANY, NUMBER
from polyhost.data.payload import Payload, Table
from polyhost.data.target import TargetType
from polyhost.pipeline.fit import FitJob
from polyhost.pipeline.infer_target import target_of_labels
from polyhost.predictor import (
    HOOKS,
    ArtifactTarget,
    ColumnInfo,
    GuestInfo,
    HookContext,
    ModelSpec,
    Reply,
    Traits,
)

logger = logging.getLogger(__name__)

_TRAITS = Traits(post_process_sees="raw", extra_output="all")
_SEES_ROWS = frozenset(("read_input_data", "transform", "score"))
_DATA_HOOKS = frozenset(("transform", "score", "post_process"))
_SCHEMAS_KEPT = 256


class JuliaObject:
    """A value on Julia's side, or a table that has not had to go there yet.

    ``origin`` names the hook that made it; ``block`` owns memory that Julia may look at.
    """

    __slots__ = ("_runtime", "block", "handle", "origin", "rows", "table")

    def __init__(
        self,
        runtime: rt.Runtime,
        rows: int,
        handle: int = 0,
        table: Optional[Table] = None,
        origin: str = "",
    ) -> None:
        self._runtime = runtime
        self.rows = rows
        self.handle = handle
        self.table = table
        self.origin = origin
        self.block: Optional[Block] = None

    def __del__(self) -> None:
        if self.handle:
            self._runtime.forget(self.handle)


class JuliaGuest:
    """See :class:`polyhost.predictor.Guest`."""

    language = rt.LANGUAGE

    def __init__(self, runtime: rt.Runtime, spec: ModelSpec) -> None:
        self._runtime = runtime
        self.traits = _TRAITS
        self._kinds: Dict[str, str] = {}
        self._structured = spec.target.type is not TargetType.UNSTRUCTURED
        self._schemas: Dict[Tuple[str, ...], int] = {}
        self._names: Dict[bytes, Tuple[str, ...]] = {}
        custom = None if spec.custom_file is None else str(_inside(spec.code_dir, spec.custom_file))
        self._code_dir = str(_inside(spec.code_dir, Path()))
        described = (self._code_dir, custom, spec.target.type.value, *spec.target.labels)
        try:
            out = runtime.send(rt.OPEN, 0, described, "custom.jl")
        except errors.ModelError as error:
            raise _load_error("custom.jl", error) from error
        self._session = out[0]
        self.hooks: FrozenSet[str] = frozenset(json.loads(ctypes.string_at(out[1], out[2])))
        self._own = bool(self.hooks & _DATA_HOOKS)

    def run_init(self) -> None:
        """Call ``init(code_dir)``."""
        self._runtime.call(rt.INIT, self._session, doing="init")

    def run_load_model(self) -> bool:
        """Call ``load_model(code_dir)``."""
        return bool(self._runtime.call(rt.LOAD_MODEL, self._session, doing="load_model")[0])

    def load_artifact(self, artifact: Optional[Path]) -> None:
        """Load a ``.jlso``: an MLJ machine, or the object in it, or a dictionary of several."""
        if artifact is None:
            return
        held = jlso.read(artifact)
        items: List[Union[str, bytes]] = [held.format, held.manifest]
        for name, raw in held.objects:
            items += (name, raw)
        try:
            self._runtime.send(rt.LOAD_ARTIFACT, self._session, items, "load_model")
        except errors.ModelError as error:
            versions = f"It was written by Julia {held.julia}; this" if held.julia else "This"
            here = f"{versions} is Julia {self._runtime.installation.version}."
            raise _load_error(artifact.name, error, here) from error

    def describe(self) -> GuestInfo:
        """What the model says of itself; its first predict is run, which compiles it."""
        if self._structured:
            self._runtime.warm()
        out = self._runtime.call(rt.DESCRIBE, self._session)
        described = json.loads(ctypes.string_at(out[0], out[1]))
        columns = tuple(_column_info(column) for column in described["columns"])
        info = GuestInfo(
            framework=described["framework"],
            labels=tuple(described["labels"]),
            columns=columns,
            schema_source="model" if columns else "nothing",
            row_wise=described["row_wise"],
            matrix=bool(columns) and all(column.kind == NUMBER for column in columns),
            predicts=described["predicts"],
            target_type=described["target_type"],
        )
        self._type(columns)
        if info.predicts and info.columns and "score" not in self.hooks:
            self._warm(info)
        return info

    def artifact_target(self) -> Optional[ArtifactTarget]:
        """What the model was trained for: classes, or a number."""
        info = self.describe()
        return target_of_labels(info.labels, info.target_type) if info.predicts else None

    def _type(self, columns: Sequence[ColumnInfo]) -> None:
        """Take tables of these columns, unless a hook sees them first, in its own reader's types.

        Where the model says what none of them is, that reader has the whole of a CSV.
        """
        if self.hooks & _SEES_ROWS or all(column.kind == ANY for column in columns):
            return
        self._kinds = {column.name: column.kind for column in columns}
        self.traits = replace(_TRAITS, untyped=True)

    def _warm(self, info: GuestInfo) -> None:
        try:
            self._predict(self.wrap(example_of(info.columns)))
        except errors.PolyhostError as error:
            logger.debug("the first predict, on zeros, failed: %s", error)

    def read(self, payload: Payload) -> JuliaObject:
        """Parse CSV to the types that CSV.jl gives; rows that are decoded already are taken."""
        if payload.table is not None:
            return self.wrap(payload.table)
        if payload.mimetype == "text/mtx":
            raise errors.UnsupportedContentType(
                "the body is a Matrix Market file (text/mtx), which Julia models do not take: "
                "expected CSV. Send the rows as CSV, or define a read_input_data hook.",
                mimetype=payload.mimetype,
            )
        body = payload.bytes()
        out = self._runtime.call(rt.READ, self._session, body, len(body), "read")
        held = JuliaObject(self._runtime, out[1], out[0])
        if not out[2]:
            raise errors.InvalidInput(
                "the CSV body is empty: expected a line of column names, then a line a row."
            )
        return held

    def wrap(self, table: Table) -> JuliaObject:
        """The table; it goes to Julia when a hook or the built-in predict wants it."""
        return JuliaObject(self._runtime, table.rows, table=table)

    def unwrap(self, data: JuliaObject) -> Table:
        """A frame as a neutral table."""
        if not data.handle and data.table is not None:
            return data.table
        name = data.origin.encode("ascii")
        return self._table(self._runtime.call(rt.UNWRAP, data.handle, name, len(name), data.origin))

    def rows(self, data: JuliaObject) -> Optional[int]:
        """Rows of a frame; None for anything else."""
        return None if data.rows < 0 else data.rows

    def hook(self, name: str, data: Any, context: HookContext) -> JuliaObject:
        """Call a hook that takes data."""
        if name == "read_input_data":
            body = bytes(data)
            out = self._runtime.call(rt.READ_HOOK, self._session, body, len(body), name)
        else:
            out = self._numbers(rt.HOOK, (HOOKS.index(name) + 1, self._handle(data)), name)
        return JuliaObject(self._runtime, out[1], out[0], origin=name)

    def predict(self, data: JuliaObject, context: HookContext) -> Table:
        """The built-in predict."""
        return self._predict(data)

    def _predict(self, data: JuliaObject) -> Table:
        if data.handle or data.table is None:
            return self._table(self._numbers(rt.PREDICT, (self._handle(data),), "predict"))
        block = self._block(data.table)
        numbers = block.numbers
        address = int(numbers.__array_interface__["data"][0])
        return self._table(
            self._runtime.call(rt.PREDICT_BLOCK, self._session, address, numbers.nbytes)
        )

    def apply_transformer(
        self, data: JuliaObject, y: Optional[JuliaObject], context: HookContext
    ) -> Table:
        """Call the ``transform`` hook, with the target column when it takes one."""
        target = 0 if y is None else self._handle(y)
        return self._table(self._numbers(rt.TRANSFORM, (self._handle(data), target), "transform"))

    def unstructured(self, data: Union[str, bytes], context: HookContext) -> Reply:
        """Call ``score_unstructured``."""
        payload = context.payload
        headers = payload.headers
        query = _query(payload)
        items: List[Union[str, bytes, None]] = ["text" if isinstance(data, str) else None, data]
        items += (payload.mimetype or None, payload.charset, None if headers is None else "yes")
        items += (str(len(query)), *_flat(query), *_flat(headers or {}))
        out = self._runtime.send(rt.UNSTRUCTURED, self._session, items, "score_unstructured")
        mimetype, charset = json.loads(ctypes.string_at(out[3], out[4]))
        raw = ctypes.string_at(out[1], out[2]) if out[2] else b""
        body = {0: None, 1: raw, 2: raw}[out[0]]
        if out[0] == 1:
            return Reply(raw.decode("utf-8", "replace"), mimetype, charset)
        return Reply(body, mimetype, charset)

    def fit(self, job: FitJob) -> None:
        """Call ``fit(X, y, output_dir; class_order, row_weights, parameters)``."""
        if "fit" not in self.hooks:
            raise errors.MissingHook(
                f"hook 'fit' is missing in {self._code_dir}: expected it, to train with; found "
                f"{', '.join(sorted(self.hooks)) or 'no hooks'}. Define fit in custom.jl.",
                language=rt.LANGUAGE,
                hook="fit",
                found=sorted(self.hooks),
            )
        self._own = True  # what a hook keeps must not be memory of ours
        tables = [
            None if table is None else self.wrap(table)
            for table in (job.rows, job.target, job.weights)
        ]
        items: List[Union[str, bytes, None]] = [
            None if held is None else str(self._handle(held)) for held in tables
        ]
        order = job.class_order
        items += [str(job.output_dir), None if order is None else str(len(order)), *(order or ())]
        for name, value in job.parameters.items():
            items += (name, *_parameter(value))
        self._runtime.send(rt.FIT, self._session, items, "fit")

    def interrupt(self) -> bool:
        """Julia cannot be asked to stop; the worker's process is replaced instead."""
        return False

    def close(self) -> None:
        """Forget the model."""
        self._runtime.forget(self._session)
        for schema in self._schemas.values():
            self._runtime.forget(schema)
        self._schemas.clear()

    def _numbers(self, entry: int, numbers: Sequence[int], doing: str) -> List[int]:
        data = b"".join(number.to_bytes(8, "little") for number in numbers)
        return self._runtime.call(entry, self._session, data, len(data), doing)

    def _handle(self, data: JuliaObject) -> int:
        if not data.handle and data.table is not None:
            data.block = self._block(data.table)
            numbers = data.block.numbers
            address = int(numbers.__array_interface__["data"][0])
            data.handle = self._runtime.call(rt.WRAP, self._session, address, numbers.nbytes)[0]
        return data.handle

    def _block(self, table: Table) -> Block:
        return block_of(table, self._schema(table.names), self._own, self._kinds)

    def _schema(self, names: Tuple[str, ...]) -> int:
        handle = self._schemas.get(names)
        if handle is None:
            if len(self._schemas) >= _SCHEMAS_KEPT:
                self._runtime.forget(self._schemas.pop(next(iter(self._schemas))))
            handle = self._runtime.send(rt.SCHEMA, 0, names, "predict")[0]
            self._schemas[names] = handle
        return handle

    def _table(self, out: Sequence[int]) -> Table:
        return table_from(out, self._names_in)

    def _names_in(self, text: bytes) -> Tuple[str, ...]:
        names = self._names.get(text)
        if names is None:
            if len(self._names) >= _SCHEMAS_KEPT:
                self._names.clear()
            names = self._names[text] = tuple(json.loads(text))
        return names


def _column_info(described: Dict[str, Any]) -> ColumnInfo:
    levels = tuple(described["levels"])
    return ColumnInfo(
        described["name"], described["kind"], levels=levels, ordered=described["ordered"]
    )


def _parameter(value: Any) -> Tuple[str, Optional[str]]:
    """A parameter's kind and text, as ``do_fit`` in entries.jl reads them."""
    if isinstance(value, bool):
        return "boolean", "true" if value else "false"
    if isinstance(value, int) and abs(value) < 1 << 63:
        return "integer", str(value)
    if isinstance(value, float):
        return "number", repr(value)
    if value is None or isinstance(value, str):
        return "text", value
    return "text", json.dumps(value)


def _inside(code_dir: Path, path: Path) -> Path:
    return (code_dir / path).resolve()


def _load_error(what: str, error: errors.ModelError, more: str = "") -> errors.LoadError:
    facts = error.facts
    where = f" at {facts['location']}" if facts.get("location") else ""
    return errors.LoadError(
        f"{what} cannot be loaded: {facts.get('native_type')}: {facts.get('native_message')}"
        f"{where}. {more}".rstrip(),
        **facts,
    )


def _query(payload: Payload) -> Dict[str, str]:
    """The first value of a repeated key over HTTP, the last one in batch."""
    if payload.headers is None:
        return dict(payload.query)
    return dict(reversed(payload.query))


def _flat(pairs: Any) -> Iterator[str]:
    for key, value in pairs.items():
        yield str(key)
        yield str(value)
