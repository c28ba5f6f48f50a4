"""The hook order, once for every language: read → transform → score → post_process → marshal.

Between hooks the data stays in the guest, behind a handle. Where languages differ, the bridge
says so in its traits; nothing here knows a language.
"""

from __future__ import annotations

import time
from typing import Any, FrozenSet, Iterator, List, Mapping, Optional, Sequence, Tuple, Union, cast

from polyhost.code_dir.type_schema import TypeSchema
from polyhost.data.payload import Payload, Scores, Table, Tensors
from polyhost.data.signature import Signature
from polyhost.data.signature import parse as parse_signature
from polyhost.data.target import Target, TargetType
from polyhost.errors import (
    InvalidOutput,
    SchemaMismatch,
    WrongEndpoint,
)
from polyhost.formats import arrow, csv_cells
from polyhost.formats.csv import read_numbers, write_table
from polyhost.formats.rows import check_count
from polyhost.formats.text import unstructured_input
from polyhost.pipeline import batching, infer_target, known_columns, load_guest, schema_check
from polyhost.pipeline.apply_schema import Schema, raw_names
from polyhost.pipeline.chat_reports import ChatMonitor, prompt_column
from polyhost.pipeline.marshal import (
    check_rows,
    marshal,
    split_extra,
    split_named,
    with_extra,
)
from polyhost.pipeline.reports import Monitor, Monitoring, reporter_for
from polyhost.pipeline.signature import SignatureSchema, enforced_params, enforced_tensors
from polyhost.predictor import (
    INFER_TARGET,
    ChatGuest,
    ChatReply,
    Guest,
    GuestInfo,
    Handle,
    HookContext,
    InvokedGuest,
    ModelInfo,
    ModelSpec,
    Reply,
    TensorGuest,
    ThreadedGuest,
)
from polyhost.worker import counters

_STRUCTURED_HOOKS = frozenset(("read_input_data", "transform", "score", "post_process"))
_DATA_HOOKS = _STRUCTURED_HOOKS - {"post_process"}
_CHATTY = (TargetType.TEXT_GENERATION, TargetType.AGENTIC_WORKFLOW)
_NO_PAYLOAD = Payload(b"")


def open_predictor(spec: ModelSpec) -> Pipeline:
    """Load the model that ``spec`` names, in this process.

    Options read here: ``strict_rows`` (bool), ``batching`` (``auto``, ``off``, or ``on``, which
    also batches models with hooks) and ``positive_first`` (bool, see :mod:`polyhost.pipeline.marshal`).
    """
    if INFER_TARGET in spec.options:
        spec = infer_target.settled(spec)
    guest = load_guest.open_guest(spec)
    try:
        info = load_guest.load(guest, spec)
    except BaseException:
        guest.close()
        raise
    return Pipeline(spec, guest, known_columns.completed(info, spec))


class Pipeline:
    """A loaded model with its hooks; a :class:`~polyhost.predictor.Predictor`."""

    def __init__(self, spec: ModelSpec, guest: Guest, info: GuestInfo) -> None:
        self._guest = guest
        self._invoked = guest if isinstance(guest, InvokedGuest) else None
        self._hooks = guest.hooks
        self._target = spec.target
        self._strict_rows = bool(spec.options.get("strict_rows"))
        self._positive_first = bool(spec.options.get("positive_first"))
        monitoring = Monitoring.of(spec.options)
        reports = monitoring is not None and not monitoring.embedded
        self._monitor: Optional[Monitor] = None
        self._chats: Optional[ChatMonitor] = None
        if monitoring is not None and reports:
            reporter = reporter_for(monitoring)
            self._monitor = Monitor(reporter)
            if "chat" in self._hooks:
                self._chats = ChatMonitor(reporter, prompt_column(monitoring))
        self._no_request = HookContext(spec.target, _NO_PAYLOAD)
        self._schema = TypeSchema.of(spec.options)
        self.signature = _signature(spec)
        self._columns = _input_schema(spec, guest, info, self.signature)
        self.rows = 0
        """Rows answered so far, for whoever counts them."""
        self.info = ModelInfo(
            language=guest.language,
            target=spec.target,
            hooks=tuple(sorted(guest.hooks)),
            guest=info,
            batchable=_batchable(spec, guest, info),
            threads=guest.traits.threads,
            formats=(*guest.traits.formats, *(("arrow", "parquet") if arrow.available() else ())),
            typed=self._columns is not None,
        )

    # Structured

    def predict(self, request: Union[Payload, Table, Tensors], /) -> Scores:
        """Predict one request; its row count is checked against the rows it brought."""
        if not self._target.type.is_structured:
            raise _wrong_endpoint(self._target, "predictions")
        if self._invoked is not None and self.signature is not None and self.signature.tensors:
            return self._predict_arrays(request)
        started = time.perf_counter()
        data, context = self._read(request)
        rows = self._guest.rows(data)
        check_count(rows, context.payload.options.get("max_rows"))
        if "transform" in self._hooks:
            data = self._guest.hook("transform", data, context)
        scores = self._score(data, context)
        strict = self._strict_rows or bool(context.payload.options.get("strict_rows"))
        scores = check_rows(scores, rows, strict)
        self.rows += scores.predictions.rows
        if self._monitor is not None:
            seen = self._as_table(request) if isinstance(request, Tensors) else request
            self._monitor.predicted(seen, scores, time.perf_counter() - started)
        return scores

    def _predict_arrays(self, request: Union[Payload, Table, Tensors]) -> Scores:
        """The answer of a model whose signature is of tensors, where a table is wanted."""
        assert self._invoked is not None
        found = self._invoked.answer_table(self.invoke(request))
        return Scores(marshal(found, self._target, self._positive_first))

    def predict_many(self, tables: List[Table], /) -> List[Union[Scores, Exception]]:
        """Predict several tables, those of one shape in one call where the model allows it."""
        if not self.info.batchable:
            return [batching.attempt(self.predict, table) for table in tables]
        return batching.predict_tables(self.predict, tables)

    # Any input, any answer

    def invoke(self, data: Any, params: Optional[Mapping[str, Any]] = None, /) -> Any:
        """What the model itself answers to a payload, a table, arrays or a plain value."""
        guest = self._invoked
        if guest is None:
            raise _wrong_endpoint(self._target, "calls with any input")
        given, rows = self._given(data)
        found = guest.invoke(given, self._params(params))
        self.rows += 1 if rows is None else rows
        return found

    def invoke_stream(
        self, data: Any, params: Optional[Mapping[str, Any]] = None, /
    ) -> Iterator[Any]:
        """The same, part by part."""
        if self._invoked is None:
            raise _wrong_endpoint(self._target, "calls with any input")
        given, _ = self._given(data)
        return self._invoked.invoke_stream(given, self._params(params))

    def answer_table(self, value: Any, /) -> Table:
        """What ``invoke`` returned as a table."""
        if self._invoked is None:
            raise _wrong_endpoint(self._target, "calls with any input")
        return self._invoked.answer_table(value)

    def _given(self, data: Any) -> Tuple[Any, Optional[int]]:
        """What the guest gets, a handle of rows, or arrays and values as the signature says; and how
        many rows that is, where it is known."""
        rows: Optional[int] = None
        tensors = None if self.signature is None else self.signature.tensors
        if isinstance(data, (Payload, Table)):
            handle, context = self._read(data)
            rows = self._guest.rows(handle)
            check_count(rows, context.payload.options.get("max_rows"))
            if tensors is None:
                return handle, rows
            data = self._guest.unwrap(handle)
        if isinstance(data, Tensors):
            arrays = data.arrays
            named = self.signature is not None and self.signature.named
            data = next(iter(arrays.values())) if len(arrays) == 1 and not named else dict(arrays)
        return (data if tensors is None else enforced_tensors(tensors, data)), rows

    def _params(self, params: Optional[Mapping[str, Any]]) -> Optional[Mapping[str, Any]]:
        return enforced_params(None if self.signature is None else self.signature.params, params)

    def _read(self, request: Union[Payload, Table, Tensors]) -> Tuple[Handle, HookContext]:
        if isinstance(request, Tensors):
            if isinstance(self._guest, TensorGuest):
                return self._guest.wrap_tensors(request), self._no_request
            request = self._as_table(request)
        if isinstance(request, Table):
            context = self._no_request
            if "read_input_data" in self._hooks:  # it reads bytes: the table as it would be sent
                return self._read_by_hook(write_table(request), context), context
            return self._wrap(request), context
        context = HookContext(self._target, request)
        if "read_input_data" in self._hooks:
            return self._read_by_hook(request.bytes(), context), context
        if request.table is not None:
            check_count(request.table.rows, request.options.get("max_rows"))
            return self._wrap(request.table), context
        kind = request.mimetype.lower()
        if kind in arrow.COLUMNAR:  # columns already, alike in every language
            return self._wrap(arrow.read_table(request.body, kind, self._raw)), context
        if kind not in csv_cells.MIMETYPES:
            return self._guest.read(request), context
        return self._read_csv(request), context

    def _read_by_hook(self, body: bytes, context: HookContext) -> Handle:
        data = self._guest.hook("read_input_data", body, context)
        if data is None:
            raise InvalidOutput(
                "read_input_data returned nothing: expected the data that the next hook, or the "
                "model, takes.",
                language=self._guest.language,
                hook="read_input_data",
            )
        return data

    def _read_csv(self, request: Payload) -> Handle:
        """CSV as the model's schema says; where it says nothing, as the guest's language reads it."""
        schema = self._columns
        if schema is None:
            csv_cells.check(request.body)
            return self._guest.read(request)
        table = read_numbers(request.body) if schema.numeric else None
        if table is None:
            table = csv_cells.read(request.body, schema.numbers)
        return self._guest.wrap(schema.apply(table))

    def _raw(self, names: Sequence[str]) -> FrozenSet[str]:
        return frozenset() if self._columns is None else raw_names(self.info.guest, names)

    def _wrap(self, table: Table) -> Handle:
        return self._guest.wrap(table if self._columns is None else self._columns.apply(table))

    def _as_table(self, tensors: Tensors) -> Table:
        """The fallback for guests that take no arrays."""
        try:
            return tensors.to_table([column.name for column in self.info.guest.columns])
        except ValueError as error:
            raise SchemaMismatch(
                f"these tensors cannot be rows: {error}. Send vectors or matrices of equal length.",
                found={name: list(array.shape) for name, array in tensors.arrays.items()},
            ) from None

    def _score(self, data: Handle, context: HookContext) -> Scores:
        guest = self._guest
        post_process = "post_process" in self._hooks
        raw_post_process = post_process and guest.traits.post_process_sees == "raw"
        extra: Optional[Table] = None
        if "score" in self._hooks:
            result = guest.hook("score", data, context)
            if raw_post_process:
                result = guest.hook("post_process", result, context)
            table = guest.unwrap(result)
            if self._may_have_extra():
                table, extra = split_extra(table, self._target)
        else:
            table, extra = split_named(guest.predict(data, context), self.info.guest.extras)
            if raw_post_process:
                table = self._post_process(table, context)
        holes = guest.traits.missing_answers and "score" not in self._hooks
        try:
            predictions = marshal(table, self._target, self._positive_first, holes)
        except InvalidOutput as error:
            raise with_extra(error, extra, self._target) from None
        if post_process and not raw_post_process:
            again = self._post_process(predictions, context)
            predictions = marshal(again, self._target, self._positive_first)
        return _together(predictions, extra)

    def _post_process(self, table: Table, context: HookContext) -> Table:
        guest = self._guest
        return guest.unwrap(guest.hook("post_process", guest.wrap(table), context))

    def _may_have_extra(self) -> bool:
        allowed = self._guest.traits.extra_output
        if allowed == "classification+regression":
            kind = self._target.type
            return kind.is_classification or kind is TargetType.REGRESSION
        return allowed == "all"

    # The other target types

    def answer(self, request: Payload, /) -> Reply:
        """Answer one unstructured request with the ``score_unstructured`` hook."""
        if "score_unstructured" not in self._hooks:
            raise _wrong_endpoint(self._target, "unstructured requests")
        data, payload = unstructured_input(request)
        return self._guest.unstructured(data, HookContext(self._target, payload))

    def transform(self, request: Payload, /) -> Table:
        """Transform one request's rows; ``parts["y"]`` goes to the hook as the parsed target."""
        if self._target.type is not TargetType.TRANSFORM:
            raise _wrong_endpoint(self._target, "transforms")
        data, context = self._read(request)
        y = request.parts.get("y")
        target = None if y is None else self._guest.read(Payload(y, "text/csv"))
        rows = self._guest.rows(data)
        check_count(rows, request.options.get("max_rows"))
        table = self._guest.apply_transformer(data, target, context)
        if rows is not None and table.rows != rows:
            raise InvalidOutput(
                f"transform returned {table.rows} row(s) for {rows} input row(s): expected one "
                "output row per input row.",
                expected=rows,
                found=table.rows,
            )
        schema_check.check_output(self._schema, table)
        self.rows += table.rows
        return table

    def chat(
        self,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
        /,
        association_id: Optional[str] = None,
    ) -> ChatReply:
        """Answer one conversation with the ``chat`` hook, for any target type."""
        if "chat" not in self._hooks:
            kind = self._target.type
            lacks = "but chat() is not implemented" if kind in _CHATTY else "chat is not supported"
            raise WrongEndpoint(
                f"This model has target type '{kind.value}', {lacks}. Define the chat hook.",
                target_type=kind.value,
            )
        guest = cast(ChatGuest, self._guest)
        if self._chats is None:
            return guest.chat(params, headers)
        return self._chats.answered(lambda: guest.chat(params, headers), params, association_id)

    def openai(
        self, hook: str, params: Mapping[str, Any], headers: Mapping[str, str], /
    ) -> Optional[ChatReply]:
        """Answer one request with one of ``OPENAI_HOOKS``; None without it."""
        if hook not in self._hooks:
            return None
        return cast(ChatGuest, self._guest).openai(hook, params, headers)

    def llm_models(self) -> Optional[List[Mapping[str, Any]]]:
        """The models that the ``get_supported_llm_models`` hook names; None without it."""
        if "get_supported_llm_models" not in self._hooks:
            return None
        return cast(ChatGuest, self._guest).llm_models()

    def stacks(self) -> str:
        """What the guest's runtime says of its threads, from another thread; empty if nothing."""
        stacks = getattr(self._guest, "stacks", None)
        return str(stacks()) if stacks is not None else ""

    def interrupt(self) -> bool:
        """Stop the running call from another thread: it then raises KeyboardInterrupt."""
        return self._guest.interrupt()

    def interrupt_thread(self, thread: int, /) -> bool:
        """The same for one of several calls, known by its thread; False when it cannot be."""
        guest = self._guest
        return guest.interrupt_thread(thread) if isinstance(guest, ThreadedGuest) else False

    def close(self) -> None:
        """Let the guest go."""
        self._guest.close()
        if self._monitor is not None:
            self._monitor.close()


def _together(predictions: Table, extra: Optional[Table]) -> Scores:
    if extra is not None and extra.rows != predictions.rows:
        raise InvalidOutput(
            f"post_process returned {predictions.rows} row(s), but score returned {extra.rows} "
            "with extra columns: expected as many.",
            expected=extra.rows,
            found=predictions.rows,
        )
    return Scores(predictions, extra)


def _batchable(spec: ModelSpec, guest: Guest, info: GuestInfo) -> bool:
    """Whether rows of several requests may be predicted in one call."""
    mode = spec.options.get("batching", "auto")
    if not spec.target.type.is_structured or mode == "off":
        return False
    if "read_input_data" in guest.hooks:  # it needs each request's own bytes
        return False
    return mode == "on" or (info.row_wise and not (_STRUCTURED_HOOKS & guest.hooks))


def _signature(spec: ModelSpec) -> Optional[Signature]:
    """The signature of a model that MLflow saved; None of any other."""
    option = spec.options.get("mlmodel")
    return None if option is None else parse_signature(option["signature"], option["from_hints"])


def _input_schema(
    spec: ModelSpec, guest: Guest, info: GuestInfo, signature: Optional[Signature]
) -> Union[Schema, SignatureSchema, None]:
    """What a request's columns are held against: None where a hook sees the rows first, or the
    model knows none, or its bridge cannot take columns that are not typed yet."""
    if signature is not None and signature.columns is not None:
        return None if signature.from_hints else SignatureSchema(signature.columns)
    if not info.columns or not info.predicts or _DATA_HOOKS & guest.hooks:
        return None
    schema = Schema(
        info.columns,
        rule=info.spelling,
        unknown_levels=spec.options.get("unknown_levels"),
        target=spec.target.name,
        noted=_count_unknown,
    )
    return schema if guest.traits.untyped or not schema.has_unknown_kinds else None


def _count_unknown(column: str, level: str, cells: int) -> None:
    counters.count("unknown_levels", cells, column=column)


def _wrong_endpoint(target: Target, asked: str) -> WrongEndpoint:
    return WrongEndpoint(
        f"this model has target type {target.type.value!r} and takes no {asked}.",
        target_type=target.type.value,
    )
