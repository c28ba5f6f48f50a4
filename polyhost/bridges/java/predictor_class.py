"""Models whose predictor is a class of their author's, named by an environment variable.

The class extends ``com.datarobot.drum.BasePredictor`` and takes and gives CSV as text.
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any, Dict, FrozenSet, Mapping, Optional, Union

from polyhost.bridges import bridge_for
from polyhost.bridges.java import artifacts, jvm, stacks
from polyhost.bridges.java.failures import translate
from polyhost.bridges.java.jvm import java_bytes, java_class, java_texts
from polyhost.bridges.java.requests import reply_of, request_of
from polyhost.data.payload import Payload, Table
from polyhost.data.target import TargetType
from polyhost.errors import (
    ArtifactNotFound,
    InvalidInput,
    InvalidOutput,
    UnsupportedContentType,
)
from polyhost.formats import arrow
from polyhost.formats.csv import read_table, write_table
from polyhost.predictor import GuestInfo, HookContext, ModelSpec, Reply, Traits

VARIABLE = "DRUM_JAVA_CUSTOM_PREDICTOR_CLASS"
_CSV = ("", "text/csv", "text/plain")
_AS_TEXT = ("model_id", "deployment_id", "monitor_settings", "external_webserver_url", "api_token")
_TEXTS = ("allow_dr_api_access", *_AS_TEXT)
"""Arguments that are passed as text, ``None`` included."""


def class_name() -> Optional[str]:
    """The class that the environment names, or None."""
    return os.environ.get(VARIABLE, "").strip() or None


class PredictorClassGuest:
    """A handle is the CSV as it came, in bytes; a table comes and goes as one."""

    language = "java"

    def __init__(self, spec: ModelSpec, name: str) -> None:
        _check_artifact(spec)
        jvm.start(spec.options)
        self._spec = spec
        self._thrown = java_class("java.lang.Throwable")
        self._loader = artifacts.class_loader(spec)
        make = java_class("io.polyhost.load.CustomPredictor").of
        self._predictor = self._guarded("load", make, name, self._loader)
        unstructured = spec.target.type is TargetType.UNSTRUCTURED
        self.hooks: FrozenSet[str] = frozenset(
            ("load_model", *(("score_unstructured",) if unstructured else ()))
        )
        self.traits = Traits(extra_output="none", transform_target=False)

    def _guarded(self, hook: str, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._thrown as error:
            raise translate(error, hook) from error

    # Loading

    def run_init(self) -> None:
        """There is no such hook."""

    def run_load_model(self) -> bool:
        """Call ``configure``."""
        given = java_class("java.util.HashMap")()
        for key, value in parameters(self._spec).items():
            given.put(key, _boxed(value))
        self._guarded("configure", self._predictor.configure, given)
        return True

    def load_artifact(self, artifact: Optional[Path]) -> None:
        """Loading is the predictor's own affair."""

    def describe(self) -> GuestInfo:
        """Nothing is known of what the predictor does."""
        return GuestInfo(framework="custom predictor")

    # Data

    def read(self, payload: Payload) -> bytes:
        """The CSV as it stands; an Arrow stream is written as one."""
        mimetype = payload.mimetype.lower()
        if mimetype in arrow.MIMETYPES:
            return self.wrap(arrow.read(payload.body))
        if mimetype not in _CSV:
            raise UnsupportedContentType(
                f"a Java predictor class cannot read {payload.mimetype!r}: expected CSV (text/csv) "
                f"or an Arrow stream ({arrow.MIMETYPES[0]}). Send one of them.",
                mimetype=payload.mimetype,
            )
        return payload.bytes()

    def wrap(self, table: Table) -> bytes:
        """A table as CSV."""
        return bytes(write_table(table))

    def unwrap(self, data: bytes) -> Table:
        """A CSV as a table."""
        return read_table(data)

    def rows(self, data: bytes) -> Optional[int]:
        """Records below the header; None where they cannot be counted."""
        try:
            records = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
            return max(0, sum(1 for record in records if record) - 1)
        except (UnicodeDecodeError, csv.Error):
            return None

    # Calls

    def hook(self, name: str, data: bytes, context: HookContext) -> Any:
        """No structured hook is ever declared."""
        raise NotImplementedError(name)

    def predict(self, data: bytes, context: HookContext) -> Table:
        """Call ``predict``, or ``predictCSV`` with a large body."""
        answer = str(self._guarded("predict", self._predictor.predict, java_bytes(data)))
        try:
            return read_table(answer.encode("utf-8", "replace"))
        except InvalidInput as error:
            raise InvalidOutput(
                f"predict returned something that is no CSV: {error.message}",
                language="java",
                hook="predict",
            ) from error

    def apply_transformer(self, data: Any, y: Any, context: HookContext) -> Table:
        """Predictor classes do not transform."""
        raise NotImplementedError("transform")

    def unstructured(self, data: Union[str, bytes], context: HookContext) -> Reply:
        """Call ``predictUnstructured``; headers do not reach it."""
        request = request_of(data, context.payload)
        call = self._predictor.predictUnstructured
        return reply_of(self._guarded("score_unstructured", call, request))

    def interrupt(self) -> bool:
        """False: a running Java call cannot be stopped."""
        return False

    def stacks(self) -> str:
        """What the JVM's threads do, from another thread."""
        return stacks.stacks()

    def close(self) -> None:
        """Let the model's classes go; the JVM stays."""
        self._predictor = None
        self._loader.close()


def _check_artifact(spec: ModelSpec) -> None:
    """As in DRUM a folder needs a file that looks like a Java model, whoever loads it."""
    expected = bridge_for("java").artifacts
    found = [path.name for path in spec.code_dir.iterdir() if path.is_file()]
    if not any(extension in name.lower() for name in found for extension in expected):
        raise ArtifactNotFound.none(spec.code_dir, expected, iter(found))


def parameters(spec: ModelSpec) -> Dict[str, Any]:
    """What ``configure`` is given: DRUM's keys, of which some hold the text ``None``."""
    target = spec.target
    given: Mapping[str, Any] = spec.options.get("invocation") or {}
    monitoring: Mapping[str, Any] = spec.options.get("monitoring") or {}
    labels = target.class_labels
    return {
        "__custom_model_path__": str(spec.code_dir),
        "target_type": target.type.value,
        "positiveClassLabel": target.positive,
        "negativeClassLabel": target.negative,
        "classLabels": None if labels is None else list(labels),
        "run_language": "java",
        "monitor": str(bool(monitoring) and not monitoring["embedded"]),
        "monitor_embedded": str(bool(monitoring) and monitoring["embedded"]),
        "allow_dr_api_access": str(bool(given.get("allow_dr_api_access"))),
        **{name: str(given.get(name)) for name in _AS_TEXT},
        **{name: value for name, value in given.items() if name not in _TEXTS},
    }


def _boxed(value: Any) -> Any:
    if isinstance(value, list):
        return java_texts(value)
    if isinstance(value, bool):
        return java_class("java.lang.Boolean").valueOf(value)
    if isinstance(value, int):
        return java_class("java.lang.Integer")(value)
    return value
