"""A Python model that MLflow saved, as the pipeline drives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, FrozenSet, Iterator, List, Mapping, Optional, Union

import numpy as np

from polyhost.bridges.python import frames, frameworks
from polyhost.bridges.python.faults import as_model_error
from polyhost.bridges.python.interrupt import Interruptible, InterruptibleThreads, may_be_typed
from polyhost.bridges.python.mlflow import flavors
from polyhost.bridges.python.mlflow.frames import as_frame, as_table
from polyhost.bridges.python.mlflow.saved import SavedModel
from polyhost.bridges.python.threads import OpenMP
from polyhost.data.payload import Payload, Table, Tensors
from polyhost.data.target import TargetType
from polyhost.errors import MissingHook, ModelError, PolyhostError, WrongEndpoint
from polyhost.pipeline.signature.params import enforced
from polyhost.predictor import (
    ArtifactTarget,
    GuestInfo,
    HookContext,
    ModelSpec,
    Reply,
    Traits,
)

LANGUAGE = "python"
_END = object()


class MlflowGuest:
    """Implements :class:`~polyhost.predictor.Guest`; a handle is a Table or a DataFrame."""

    language = LANGUAGE
    hooks: FrozenSet[str] = frozenset()

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._saved = SavedModel.of(spec)
        calls = int(spec.options.get("max_concurrency", 1))
        self.traits = Traits(threads=calls, untyped=True)
        self._running: Union[Interruptible, InterruptibleThreads] = (
            Interruptible() if calls == 1 else InterruptibleThreads()
        )
        self._loaded: Any = None
        self._builtin: Optional[frameworks.BuiltIn] = None
        self._matrix = False

    # Loading

    def run_init(self) -> None:
        """No hooks."""

    def run_load_model(self) -> bool:
        return False

    def load_artifact(self, artifact: Optional[Path]) -> None:
        self._loaded = self._call("load_model", flavors.load, self._saved)

    def describe(self) -> GuestInfo:
        self._openmp = OpenMP()
        kind = self._spec.target.type
        if kind is not TargetType.ANY:
            self._builtin = frameworks.built_in(
                getattr(self._loaded, "model", None), self._spec.target
            )
            if self._builtin is None:
                return GuestInfo(predicts=False)
        signature = self._saved.signature
        columns = None if signature is None else signature.columns
        doubles = columns is not None and all(c.type.kind == "double" for c in columns)
        numeric = columns is None or doubles or _all_numbers(columns)
        takes_matrix = bool(getattr(self._loaded, "matrix", False))
        self._matrix = numeric and (takes_matrix or doubles)
        infos = tuple(column.info() for column in columns or ())
        tensors = (None if signature is None else signature.tensors) or ()
        return GuestInfo(
            framework=self._loaded.framework,
            columns=infos,
            schema_source="signature" if infos or tensors else "nothing",
            row_wise=bool(getattr(self._loaded, "row_wise", False)),
            matrix=self._matrix,
            tensors=tuple((each.name or "", str(each.dtype), each.shape) for each in tensors),
        )

    def artifact_target(self) -> Optional[ArtifactTarget]:
        """What the loaded model was trained for, where its library says it."""
        return frameworks.target_of(getattr(self._loaded, "model", None))

    # Data

    def read(self, payload: Payload) -> Any:
        return frames.read(payload, table=True, numeric=self._matrix)

    def wrap(self, table: Table) -> Any:
        return frames.typed(table)

    def unwrap(self, data: Any) -> Table:
        return as_table(data)

    def rows(self, data: Any) -> Optional[int]:
        return len(data) if isinstance(data, Table) or frames.is_frame(data) else None

    def wrap_tensors(self, tensors: Tensors) -> Any:
        """Arrays by name; the only one of a model whose signature has no names by itself."""
        signature = self._saved.signature
        named = signature is not None and signature.tensors is not None and signature.named
        if len(tensors.arrays) == 1 and not named:
            return next(iter(tensors.arrays.values()))
        return dict(tensors.arrays)

    # Calls

    def hook(self, name: str, data: Any, context: HookContext) -> Any:
        raise self._no_hook(name)

    def predict(self, data: Any, context: HookContext) -> Table:
        if self._builtin is not None:
            with self._openmp.sized(self.rows(data)):
                table: Table = self._call("predict", self._builtin.predict, data)
            return table
        return as_table(self.invoke(data, self._defaults()))

    def _defaults(self) -> Optional[Mapping[str, Any]]:
        """The parameters of a call that brings none."""
        signature = self._saved.signature
        return enforced(None if signature is None else signature.params, None)

    def invoke(self, data: Any, params: Optional[Mapping[str, Any]]) -> Any:
        if isinstance(data, Table) and not getattr(self._loaded, "matrix", False):
            data = as_frame(data)
        with self._openmp.sized(_length(data)):
            return self._call("predict", self._loaded.predict, data, params)

    def invoke_stream(self, data: Any, params: Optional[Mapping[str, Any]]) -> Iterator[Any]:
        if not getattr(self._loaded, "streams", False):
            raise WrongEndpoint(
                "this model does not answer part by part: expected a predict_stream method. Ask "
                "without a stream."
            )
        data = as_frame(data) if isinstance(data, Table) else data
        parts = self._call("predict_stream", self._loaded.predict_stream, data, params)
        return self._parts(parts)

    def answer_table(self, value: Any) -> Table:
        return as_table(value)

    def _parts(self, parts: Iterator[Any]) -> Iterator[Any]:
        try:
            while True:
                part = self._call("predict_stream", next, parts, _END)
                if part is _END:
                    return
                yield part
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                self._call("predict_stream", close)

    def apply_transformer(self, data: Any, y: Any, context: HookContext) -> Table:
        raise self._no_hook("transform")

    def unstructured(self, data: Union[str, bytes], context: HookContext) -> Reply:
        raise self._no_hook("score_unstructured")

    def _no_hook(self, name: str) -> MissingHook:
        return MissingHook(
            f"a model that MLflow saved has no hook {name!r}.", language=LANGUAGE, hook=name
        )

    def _call(self, hook: str, function: Callable[..., Any], *args: Any) -> Any:
        """Call guest code; what it raises becomes a ModelError with its own traceback."""
        with self._running:
            try:
                return function(*args)
            except PolyhostError:
                raise
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt) and (self._running.asked or may_be_typed()):
                    raise
                raise _model_error(error, hook, self._spec.code_dir) from error

    def interrupt(self) -> bool:
        return self._running.interrupt()

    def interrupt_thread(self, thread: int) -> bool:
        return self._running.interrupt(thread)

    def close(self) -> None:
        self._running.close()
        self._loaded = self._builtin = None


def _all_numbers(columns: Any) -> bool:
    return all(c.type.kind in ("double", "float", "long", "integer") for c in columns)


def _length(data: Any) -> Optional[int]:
    if isinstance(data, Table) or frames.is_frame(data):
        return len(data)
    if isinstance(data, np.ndarray) and data.ndim:
        return len(data)
    return None


def _model_error(error: BaseException, hook: str, code_dir: Path) -> ModelError:
    """The error of guest code; that of MLflow's own class keeps its code and status."""
    found = as_model_error(error, LANGUAGE, hook, code_dir)
    if any(kind.__name__ == "MlflowException" for kind in type(error).__mro__):
        found.facts["mlflow_code"] = str(getattr(error, "error_code", "INTERNAL_ERROR"))
        status = getattr(error, "get_http_status_code", None)
        if callable(status):
            found.facts["mlflow_status"] = int(status())
    return found


__all__: List[str] = ["MlflowGuest"]
