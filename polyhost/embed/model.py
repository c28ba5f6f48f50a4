"""``polyhost.load``: a model of any language as an object of a Python program or a notebook.

The model lives in a worker process, as it does behind a server: it may crash or be of a language
that cannot share a process with another. ``in_process=True`` loads it here instead.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Iterable, Iterator, Mapping, Optional, Sequence, Tuple, Type, Union

from polyhost.bridges import bridge_for
from polyhost.code_dir.spec import spec_of
from polyhost.codecs import Request, dispatch, split_content_type
from polyhost.data.payload import Payload, Scores, Table
from polyhost.errors import SettingsError
from polyhost.formats.text import unstructured_output
from polyhost.pipeline.pipeline import Pipeline, open_predictor
from polyhost.predictor import ModelInfo, ModelSpec, Reply
from polyhost.settings import Setting, Source, TargetSettings

CSV = "text/csv"

Rows = Union[Table, bytes, Any]
"""A DataFrame, a Table, or the bytes of a CSV file."""


def load(
    path: Union[str, os.PathLike[str]],
    *,
    target_type: Optional[str] = None,
    positive_class_label: Optional[str] = None,
    negative_class_label: Optional[str] = None,
    class_labels: Sequence[str] = (),
    target_name: Optional[str] = None,
    language: Optional[str] = None,
    python: Optional[str] = None,
    strict_rows: bool = True,
    in_process: bool = False,
    workers: int = 1,
) -> LoadedModel:
    """Load the model in the folder at ``path``.

    What is not given comes from its model-metadata.yaml. ``python`` is another interpreter to run
    the worker in; ``"uv"`` builds one from the folder's requirements. ``workers`` is how many
    processes hold the model, for calls from several threads and for ``predict_batches``. Close the
    model, or use it in a ``with`` statement, to end its workers.
    """
    if workers < 1 or (in_process and workers > 1):
        raise SettingsError(
            f"workers={workers!r}: expected 1 or more, and no more than 1 with in_process."
        )
    binary = (positive_class_label or "", negative_class_label or "")
    if any(binary) and not all(binary):
        raise SettingsError("positive_class_label and negative_class_label need each other.")
    target = TargetSettings(
        type=_given("target_type", target_type),
        binary_labels=_given("positive_class_label", binary if all(binary) else ()),
        class_labels=_given("class_labels", tuple(class_labels)),
        name=_given("target_name", target_name),
    )
    spec = spec_of(
        Path(path), target, language=language, options={"strict_rows": strict_rows}, infer=True
    )
    if not in_process:
        from polyhost.embed.worker_model import BackgroundModel

        return BackgroundModel(spec, python, workers)
    if python is not None:
        raise SettingsError(f"python={python!r} needs a worker: leave in_process out.")
    return InProcessModel(spec)


def _given(name: str, value: Any) -> Setting[Any]:
    return Setting(value, Source.FLAG if value else Source.DEFAULT, name)


class LoadedModel:
    """A model that was loaded; made by :func:`load`."""

    info: ModelInfo

    def predict(self, rows: Rows) -> Any:
        """A DataFrame with the predictions of ``rows``, extra columns after them."""
        return self._predict(_as_request(rows)).together().to_pandas()

    def predict_batch(self, batch: Any, *, passthrough: Sequence[str] = ()) -> Any:
        """A ``pyarrow.RecordBatch`` with the answers to the rows of one, in order.

        ``passthrough`` names columns of ``batch`` that stand after the answers, as they came. There
        is one answer a row, or InvalidOutput.
        """
        from polyhost.batch import engine

        return engine.predict_batch(self._workers(), batch, passthrough)

    def predict_batches(
        self, batches: Iterable[Any], *, passthrough: Sequence[str] = ()
    ) -> Iterator[Any]:
        """The same for an iterable of record batches, through all workers at once.

        Answers come in order, a record batch for each of ``batches``, which is read no further ahead
        than the workers can use: a stream of any length needs the memory of a few batches.
        """
        from polyhost.batch import engine

        return engine.predict_batches(self._workers(), batches, passthrough)

    def transform(self, rows: Rows) -> Any:
        """A DataFrame with ``rows`` transformed (target type ``transform``)."""
        return self._transform(_as_request(rows)).to_pandas()

    def answer(
        self,
        data: Union[str, bytes],
        *,
        content_type: str = "",
        query: Optional[Mapping[str, str]] = None,
    ) -> Reply:
        """The answer of an unstructured model; its body is text where it has a charset.

        Without ``content_type`` text is ``text/plain`` and bytes are ``application/octet-stream``.
        """
        kind = content_type or (
            "text/plain" if isinstance(data, str) else "application/octet-stream"
        )
        mimetype, charset = split_content_type(kind)
        body = data.encode(charset or "utf-8") if isinstance(data, str) else data
        pairs = tuple((query or {}).items())
        answer, answer_type = self._answer(Payload(body, mimetype, charset, pairs), kind)
        answer_mimetype, answer_charset = split_content_type(answer_type)
        text = answer.decode(answer_charset) if answer_charset else answer
        return Reply(text, answer_mimetype, answer_charset)

    def close(self) -> None:
        """Let the model go."""
        raise NotImplementedError

    def __enter__(self) -> LoadedModel:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def _workers(self) -> Any:
        """Whatever answers the requests of batch scoring: a :class:`polyhost.batch.engine.Workers`."""
        raise NotImplementedError

    def _predict(self, request: Union[Payload, Table]) -> Scores:
        raise NotImplementedError

    def _transform(self, request: Union[Payload, Table]) -> Table:
        raise NotImplementedError

    def _answer(self, payload: Payload, content_type: str) -> Tuple[bytes, str]:
        raise NotImplementedError


def _as_request(rows: Rows) -> Union[Payload, Table]:
    if isinstance(rows, Table):
        return rows
    if isinstance(rows, (bytes, bytearray, memoryview)):
        return Payload(rows, CSV)
    if hasattr(rows, "columns") and hasattr(rows, "iloc"):
        return Table.from_pandas(rows)
    raise SettingsError(
        f"cannot predict a {type(rows).__name__}: expected a DataFrame, a polyhost Table, or the "
        "bytes of a CSV file."
    )


class InProcessModel(LoadedModel):
    """A model in this very process."""

    def __init__(self, spec: ModelSpec) -> None:
        _claim_runtime(spec.language)
        self._pipeline: Pipeline = open_predictor(spec)
        self.info = self._pipeline.info

    def close(self) -> None:
        """Let the model go; the runtime it started stays in the process."""
        self._pipeline.close()

    def _workers(self) -> InProcessModel:
        return self

    workers = 1

    def submit(self, request: Request, pieces: Sequence[bytes], retry: bool = True) -> Future[Any]:
        """Answer a request here and now."""
        done: Future[Any] = Future()
        try:
            answer = dispatch.answer(self._pipeline, request, b"".join(pieces))
            body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
            done.set_result(({"type": answer.content_type, "headers": answer.headers}, body))
        except Exception as error:
            done.set_exception(error)
        return done

    def _predict(self, request: Union[Payload, Table]) -> Scores:
        return self._pipeline.predict(request)

    def _transform(self, request: Union[Payload, Table]) -> Table:
        payload = request if isinstance(request, Payload) else Payload(b"", table=request)
        return self._pipeline.transform(payload)

    def _answer(self, payload: Payload, content_type: str) -> Tuple[bytes, str]:
        body, answer_type = unstructured_output(self._pipeline.answer(payload))
        return (body if isinstance(body, bytes) else b"".join(body)), answer_type


_runtime_lock = threading.Lock()
_active_runtime: Optional[str] = None


def _claim_runtime(language: str) -> None:
    """Note that this process hosts a language's runtime; two would kill each other."""
    global _active_runtime
    if not bridge_for(language).embeds:
        return
    with _runtime_lock:
        if _active_runtime not in (None, language):
            raise SettingsError(
                f"this process holds the runtime of {_active_runtime}: a second one, of "
                f"{language}, cannot share it. Leave in_process out for this model.",
                active=_active_runtime,
                asked=language,
            )
        _active_runtime = language
