"""Predictors that model code or a test makes for itself, in its own process."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Union

import numpy as np

from polyhost.code_dir.inspect import inspect
from polyhost.data.payload import Payload, Scores
from polyhost.data.target import Target, TargetType
from polyhost.errors import SettingsError
from polyhost.formats.text import unstructured_output
from polyhost.predictor import ModelSpec

CODE_DIR = "__custom_model_path__"
TARGET_NAME = "TARGET_NAME"


@dataclass(frozen=True)
class PredictResponse:
    """Predictions as an array, shape (rows, columns), with the columns' names; extra columns as a
    DataFrame, or None."""

    predictions: np.ndarray
    columns: np.ndarray
    extra_model_output: Any = None

    @classmethod
    def of(cls, scores: Scores) -> PredictResponse:
        table = scores.predictions
        values = table.matrix if table.matrix is not None else table.to_pandas().to_numpy()
        extra = None if scores.extra is None else scores.extra.to_pandas()
        return cls(values, np.array(table.names, dtype=object), extra)


class InlinePredictor:
    """A model of any language, loaded into this process."""

    language: Optional[str] = None

    def __init__(self) -> None:
        self._pipeline: Any = None

    def configure(self, params: Mapping[str, Any]) -> None:
        """Load the model in ``params["__custom_model_path__"]``, for ``target_type`` with
        ``positiveClassLabel`` and ``negativeClassLabel``, or ``classLabels``."""
        if CODE_DIR not in params or "target_type" not in params:
            raise SettingsError(
                f"configure() needs {CODE_DIR!r} and 'target_type'; found "
                f"{', '.join(sorted(params)) or 'nothing'}."
            )
        found = inspect(Path(params[CODE_DIR]), self.language)
        spec = ModelSpec(
            code_dir=found.path,
            language=found.language,
            target=_target(params),
            custom_file=found.custom_file,
            artifacts=found.artifacts,
        )
        self._open(spec)

    def _open(self, spec: ModelSpec) -> None:
        from polyhost.pipeline.pipeline import open_predictor

        self._pipeline = open_predictor(spec)

    def predict(self, **kwargs: Any) -> PredictResponse:
        """Predictions of ``binary_data``: CSV, or what ``mimetype`` says."""
        return PredictResponse.of(self._loaded().predict(_payload(kwargs)))

    def predict_unstructured(self, data: Union[str, bytes], **kwargs: Any) -> Any:
        """What the ``score_unstructured`` hook answers, and its type as a mapping."""
        body = data.encode("utf-8") if isinstance(data, str) else data
        query = tuple((kwargs.get("query") or {}).items())
        mimetype = kwargs.get("mimetype") or ("text/plain" if isinstance(data, str) else "")
        charset = kwargs.get("charset")
        reply = self._loaded().answer(Payload(body, mimetype, charset, query))
        content, content_type = unstructured_output(reply)
        is_text = isinstance(reply.body, str)
        answer = reply.body if is_text or reply.body is None else content
        return answer, {"mimetype": content_type.partition(";")[0], "charset": reply.charset}

    def terminate(self) -> None:
        """Let the model go."""
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

    def _loaded(self) -> Any:
        if self._pipeline is None:
            raise SettingsError("no model is loaded: call configure() first.")
        return self._pipeline


class JavaPredictor(InlinePredictor):
    """A scoring-code jar, H2O model or custom Java predictor in a folder of its own.

    Model code makes several to combine several jars. They share one JVM.
    """

    language = "java"


@contextmanager
def drum_inline_predictor(
    target_type: Union[str, TargetType],
    custom_model_dir: Union[str, Path],
    target_name: str,
    *cli_args: str,
) -> Iterator[InlinePredictor]:
    """A loaded predictor; ``cli_args`` are flags of ``score``, such as class labels."""
    import argparse

    from polyhost.cli.flags import add_flags, flags_of
    from polyhost.cli.options import check_labels, model_spec

    parser = argparse.ArgumentParser(prog="drum_inline_predictor")
    add_flags(parser, [flag for flag in flags_of("score") if flag.dest != "input"])
    kind = target_type.value if isinstance(target_type, TargetType) else str(target_type)
    given = ["--code-dir", str(custom_model_dir), "--target-type", kind, *map(str, cli_args)]
    options = parser.parse_args(given)
    options.from_environment = frozenset()
    with _variable(TARGET_NAME, target_name):
        options.environment = os.environ
        check_labels(parser, options)
        predictor = InlinePredictor()
        predictor._open(model_spec(options))
        try:
            yield predictor
        finally:
            predictor.terminate()


@contextmanager
def _variable(name: str, value: Optional[str]) -> Iterator[None]:
    before = os.environ.get(name)
    if value:
        os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def _target(params: Mapping[str, Any]) -> Target:
    found = params["target_type"]
    kind = found if isinstance(found, TargetType) else TargetType.parse(str(found))
    if kind is TargetType.BINARY:
        labels = (params.get("positiveClassLabel"), params.get("negativeClassLabel"))
    else:
        labels = tuple(params.get("classLabels") or ())
    texts = tuple(str(label) for label in labels if label is not None)
    name = params.get("target_name") or os.environ.get(TARGET_NAME)
    return Target(kind, texts if kind.is_classification else (), name)


def _payload(kwargs: Mapping[str, Any]) -> Payload:
    body = kwargs.get("binary_data")
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise SettingsError(
            f"predict() needs binary_data, the bytes of the rows; found {type(body).__name__}."
        )
    parts: Dict[str, bytes] = {}
    names = kwargs.get("sparse_colnames")
    if isinstance(names, bytes):
        parts["X.colnames"] = names
    return Payload(body, kwargs.get("mimetype") or "text/csv", kwargs.get("charset"), parts=parts)
