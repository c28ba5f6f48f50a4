"""A Java model as polyhost's guest: its hooks, its artifact, and what goes between them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, FrozenSet, Optional, Union

from polyhost.bridges.java import artifacts, builtin, jvm, stacks, tables
from polyhost.bridges.java.failures import translate
from polyhost.bridges.java.jvm import java_bytes, java_class, java_path, java_text, java_texts
from polyhost.bridges.java.requests import reply_of, request_of
from polyhost.data.payload import Payload, Table
from polyhost.data.target import Target
from polyhost.errors import InvalidInput, InvalidOutput, MissingHook, UnsupportedContentType
from polyhost.formats import arrow
from polyhost.pipeline.fit import FitJob
from polyhost.pipeline.infer_target import target_of_labels
from polyhost.predictor import (
    ArtifactTarget,
    GuestInfo,
    Handle,
    HookContext,
    ModelSpec,
    Reply,
    Traits,
)

_CSV = ("", "text/csv", "text/plain")
_METHODS = {
    "read_input_data": "readInputData",
    "transform": "transform",
    "score": "score",
    "post_process": "postProcess",
}


class JavaGuest:
    """A handle is a neutral Table until a hook wants it, and a Java one after a hook."""

    language = "java"

    def __init__(self, spec: ModelSpec) -> None:
        jvm.start(spec.options)
        self._spec = spec
        self._builtin: Optional[builtin.BuiltIn] = None
        self._thrown = java_class("java.lang.Throwable")
        self._table = java_class("io.polyhost.Table")
        self._target = _java_target(spec.target)
        self._loader = artifacts.class_loader(spec)
        self._artifact = artifacts.choose(spec.artifacts)
        self._hooks = self._guarded("load", self._make_hooks)
        self.hooks: FrozenSet[str] = frozenset(
            map(str, self._hooks.defined()) if self._hooks is not None else ()
        )
        self.traits = Traits(
            one_artifact=self._artifact is None,
            threads=0 if self._hooks is None else 1,
            artifact_optional=True,
        )

    def _make_hooks(self) -> Any:
        custom = self._spec.custom_file
        if custom is None:
            return None
        hooks = java_class("io.polyhost.load.GuestHooks")
        path = java_path(self._spec.code_dir / custom)
        if custom.suffix == ".java":
            return hooks.ofSource(path, self._loader)
        return hooks.ofJar(path, self._loader)

    def _guarded(self, hook: str, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._thrown as error:
            raise translate(error, hook) from error

    # Loading

    def run_init(self) -> None:
        """Call the ``init`` hook with the code dir."""
        self._guarded("init", self._hooks.init, str(self._spec.code_dir))

    def run_load_model(self) -> bool:
        """Call the ``load_model`` hook; False when it returned null."""
        return bool(self._guarded("load_model", self._hooks.loadModel, str(self._spec.code_dir)))

    def load_artifact(self, artifact: Optional[Path]) -> None:
        """Load the built-in artifact, which hooks are then given as their model."""
        if artifact is None:
            return
        spec = self._spec
        path = spec.code_dir / (self._artifact or artifact)
        self._builtin = self._guarded(
            "load", builtin.load, path, self._loader, spec.target, spec.options
        )
        if self._hooks is not None:
            self._hooks.useModel(self._builtin.native)

    def describe(self) -> GuestInfo:
        """What the loaded model says of itself."""
        return GuestInfo(predicts=False) if self._builtin is None else self._builtin.describe()

    def artifact_target(self) -> Optional[ArtifactTarget]:
        """What the artifact was trained for: classes, or a number."""
        if self._builtin is None:
            return None
        info = self._builtin.describe()
        return target_of_labels(info.labels, info.target_type)

    # Data

    def read(self, payload: Payload) -> Handle:
        """A CSV as text, cell by cell as it stands; Arrow as it is typed."""
        mimetype = payload.mimetype.lower()
        if mimetype in arrow.MIMETYPES:
            return arrow.read(payload.body)
        if mimetype not in _CSV:
            raise UnsupportedContentType(
                f"a Java model cannot read {payload.mimetype!r}: expected CSV (text/csv) or an "
                f"Arrow stream ({arrow.MIMETYPES[0]}). Send one of them, or define a "
                "read_input_data hook.",
                mimetype=payload.mimetype,
            )
        return self._guarded("read_csv", self._table.readCsv, java_bytes(payload.body))

    def wrap(self, table: Table) -> Handle:
        """The table itself: it becomes a Java one when a hook is called with it."""
        return table

    def unwrap(self, data: Handle) -> Table:
        """The neutral table of a handle."""
        if isinstance(data, Table):
            return data
        if isinstance(data, self._table):
            return tables.from_java(data)
        raise InvalidOutput(
            f"no table came out of the model: expected an io.polyhost.Table; found {type(data)}.",
            language="java",
        )

    def rows(self, data: Handle) -> Optional[int]:
        """Rows of a table."""
        return data.rows if isinstance(data, Table) else int(data.rows())

    # Calls

    def hook(self, name: str, data: Handle, context: HookContext) -> Handle:
        """Call a structured hook with a Java table (``read_input_data``: with bytes)."""
        argument = java_bytes(data) if name == "read_input_data" else self._java(data)
        arguments = (argument, self._target) if name == "score" else (argument,)
        return self._guarded(name, getattr(self._hooks, _METHODS[name]), *arguments)

    def _java(self, data: Handle) -> Any:
        if not isinstance(data, Table):
            return data
        try:
            return tables.to_java(data)
        except ValueError as error:
            raise InvalidInput(str(error)) from error

    def predict(self, data: Handle, context: HookContext) -> Table:
        """The artifact's own predict."""
        assert self._builtin is not None, "describe() said that this model does not predict"
        try:
            if isinstance(data, Table):
                return self._builtin.predict(data)
            return self._builtin.predict_java(data)
        except self._thrown as error:
            raise translate(error, "predict") from error

    def apply_transformer(self, data: Handle, y: Optional[Handle], context: HookContext) -> Table:
        """The ``transform`` hook; the target goes by unchanged."""
        return self.unwrap(self.hook("transform", data, context))

    def unstructured(self, data: Union[str, bytes], context: HookContext) -> Reply:
        """Call ``score_unstructured``."""
        request = request_of(data, context.payload)
        return reply_of(self._guarded("score_unstructured", self._hooks.scoreUnstructured, request))

    def fit(self, job: FitJob) -> None:
        """Call ``fit(Training training, Path outputDir)``."""
        if "fit" not in self.hooks:
            raise MissingHook(
                f"hook 'fit' is missing in {self._spec.custom_file or self._spec.code_dir}: "
                f"expected it, to train with; found {', '.join(sorted(self.hooks)) or 'no hooks'}. "
                "Define fit in Custom.java or custom.jar.",
                language=self.language,
                hook="fit",
                found=sorted(self.hooks),
            )
        parameters = java_class("java.util.LinkedHashMap")()
        for name, value in job.parameters.items():
            parameters.put(java_text(name), _parameter(value))
        rows, target, weights = (
            None if table is None else self._java(table)
            for table in (job.rows, job.target, job.weights)
        )
        order = None if job.class_order is None else java_texts(list(job.class_order))
        training = java_class("io.polyhost.Training")(rows, target, weights, order, parameters)
        self._guarded("fit", self._hooks.fit, training, str(job.output_dir))

    def interrupt(self) -> bool:
        """False: a running Java call cannot be stopped."""
        return False

    def stacks(self) -> str:
        """What the JVM's threads do, from another thread."""
        return stacks.stacks()

    def close(self) -> None:
        """Let the model's classes go; the JVM stays."""
        self._builtin = self._hooks = None
        self._loader.close()


def _java_target(target: Target) -> Any:
    return java_class("io.polyhost.Target")(target.type.value, java_texts(list(target.labels)))


def _parameter(value: Any) -> Any:
    """A parameter as Java has it: text, Long, Double, Boolean, null; anything else as JSON text."""
    if isinstance(value, bool):
        return java_class("java.lang.Boolean").valueOf(value)
    if isinstance(value, int) and abs(value) < 1 << 63:
        return java_class("java.lang.Long").valueOf(value)
    if isinstance(value, float):
        return java_class("java.lang.Double").valueOf(value)
    return (
        value
        if value is None
        else java_text(value if isinstance(value, str) else json.dumps(value))
    )
