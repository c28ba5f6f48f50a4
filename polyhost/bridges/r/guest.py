"""A model in R: what the pipeline drives."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, Optional, Tuple, Union

import numpy as np

from polyhost.bridges.r import api as r_api
from polyhost.bridges.r import crate
from polyhost.bridges.r.api import Pairs
from polyhost.bridges.r.csv import decode, read_csv
from polyhost.bridges.r.engine import LANGUAGE, Engine, RObject, start
from polyhost.bridges.r.facts import Facts
from polyhost.bridges.r.frames import scores, to_frame, to_table
from polyhost.data.payload import Payload, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import MissingHook, UnsupportedContentType, WrongEndpoint
from polyhost.formats import sparse
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

TRAITS = Traits(
    post_process_sees="raw",
    extra_output="classification+regression",
    threads=1,
    load_model_may_defer=True,
    formats=("mtx",),
    untyped=True,
    missing_answers=True,
)

_CSV_TYPES = ("", "text/csv", "text/plain")


def open_guest(spec: ModelSpec) -> RGuest:
    """Start R in this process, if it is not there, and load the custom file."""
    return RGuest(start(), spec)


def warm() -> None:
    """Load R and what most models need, in a parent that workers are then forked from."""
    start().call("warm", "warm_up")
    try:
        import pyarrow.csv  # noqa: F401
    except ImportError:
        return  # large CSV bodies are then read by R itself


class RGuest:
    """A model and its hooks in this process's R; a :class:`~polyhost.predictor.Guest`."""

    language = LANGUAGE
    traits = TRAITS

    def __init__(self, engine: Engine, spec: ModelSpec) -> None:
        self._engine = engine
        self._spec = spec
        self._target = spec.target
        self._is_crate = crate.OPTION in spec.options
        self._model: Optional[RObject] = None
        self._opened: Optional[RObject] = None
        self._hooks: Optional[RObject] = None
        self._wanted = list(spec.target.labels) if spec.target.type.is_classification else None
        self._labels = _labels(spec.target)
        self._renamed: Dict[Tuple[str, ...], Tuple[str, ...]] = {}
        self._last_hook = "score"
        self.hooks = self._load_hooks()
        self._check_unstructured()

    def _load_hooks(self) -> FrozenSet[str]:
        if self._spec.custom_file is None:
            return frozenset()
        path = str((self._spec.code_dir / self._spec.custom_file).resolve())
        self._hooks = self._engine.call("load", "load_hooks", path)
        found = self._engine.call("load", "names_of", self._hooks)
        return frozenset(self._engine.api.to_strings(found.sexp) if found else ())

    def _check_unstructured(self) -> None:
        if self._target.type is not TargetType.UNSTRUCTURED:
            return
        for hook in ("load_model", "score_unstructured"):
            if hook not in self.hooks:
                raise MissingHook(
                    f"hook {hook!r} must be provided by an unstructured model in R: found "
                    f"{', '.join(sorted(self.hooks)) or 'no hooks'} in {self._spec.code_dir}. "
                    f"Define {hook} in custom.R.",
                    language=LANGUAGE,
                    hook=hook,
                    found=sorted(self.hooks),
                )

    # Loading

    def run_init(self) -> None:
        """Call ``init(code_dir=)``."""
        self._engine.call("init", "call_init", self._hooks, self._code_dir())

    def run_load_model(self) -> bool:
        """Call ``load_model(code_dir)``; False when it returned NULL."""
        self._model = self._engine.call(
            "load_model", "call_load_model", self._hooks, self._code_dir()
        )
        return self._model is not None

    def load_artifact(self, artifact: Optional[Path]) -> None:
        """Read the ``.rds``; a transform hook may do without one."""
        if self._is_crate:
            path = str(crate.file_of(self._spec))
            self._model = self._engine.call("load", "read_crate", path)
        elif artifact is not None:
            self._model = self._engine.call("load", "read_model", str(artifact))

    def _code_dir(self) -> str:
        return str(self._spec.code_dir.resolve())

    def describe(self) -> GuestInfo:
        """What the built-in predict knows of the model; MissingHook when it would be of no use."""
        if self._is_crate:
            return GuestInfo(framework="crate")
        if self._model is None or self._target.type is TargetType.UNSTRUCTURED:
            return GuestInfo(predicts=False)
        api = self._engine.api
        self._opened = self._engine.call(
            "load", "open_model", self._model, self._target.type.value, self._answers_itself()
        )
        described = self._engine.call("load", "describe_model", self._opened)
        assert described is not None
        facts = Facts(api, described)
        refusal = facts.text("refusal")
        if refusal and not self._answers_itself():
            raise self._no_predict(facts.text("framework") or "R", refusal)
        columns = facts.columns()
        return GuestInfo(
            framework=facts.text("framework"),
            labels=self._match(tuple(facts.texts("labels"))),
            columns=columns,
            schema_source="model" if columns else "nothing",
            row_wise=facts.flag("row_wise"),
            matrix=not refusal and facts.flag("matrix"),
            predicts=not refusal,
            spelling="make.names",
            target_type=facts.text("type"),
        )

    def artifact_target(self) -> Optional[ArtifactTarget]:
        """What the model was trained for, where R knows its class."""
        if self._model is None:
            return None
        found = self._engine.call("load", "artifact_target", self._model)
        assert found is not None
        texts = tuple(self._engine.api.to_strings(found.sexp))
        return target_of_labels(texts[1:], texts[0]) if texts else None

    def _answers_itself(self) -> bool:
        """Whether a hook does what the built-in predict or transform would do."""
        hook = "transform" if self._target.type is TargetType.TRANSFORM else "score"
        return hook in self.hooks

    def _no_predict(self, framework: str, refusal: str) -> MissingHook:
        hook = "transform" if self._target.type is TargetType.TRANSFORM else "score"
        return MissingHook(
            f"hook {hook!r} is missing in {self._spec.code_dir} ({LANGUAGE}, target type "
            f"{self._target.type.value!r}): the built-in predict does not serve this model of "
            f"{framework}, since {refusal}. Define {hook} in custom.R.",
            language=LANGUAGE,
            hook=hook,
            found=sorted(self.hooks),
        )

    def fit(self, job: FitJob) -> None:
        """Call ``fit(X=, y=, output_dir=, class_order=, row_weights=, parameters=)``."""
        if "fit" not in self.hooks:
            raise MissingHook(
                f"hook 'fit' is missing in {self._spec.code_dir}: expected it, to train with; "
                f"found {', '.join(sorted(self.hooks)) or 'no hooks'}. Define fit in custom.R.",
                language=LANGUAGE,
                hook="fit",
                found=sorted(self.hooks),
            )
        target, weights = (
            None if table is None else to_frame(self._engine, table)
            for table in (job.target, job.weights)
        )
        rest = {
            "output_dir": str(job.output_dir),
            "class_order": None if job.class_order is None else list(job.class_order),
            "parameters": {name: _argument(value) for name, value in job.parameters.items()},
        }
        rows = to_frame(self._engine, job.rows)
        transforms = self._target.type is TargetType.TRANSFORM
        self._engine.call("fit", "call_fit", self._hooks, rows, target, weights, rest, transforms)

    # Frames

    def read(self, payload: Payload) -> Handle:
        """A CSV body as read.csv reads it; a Matrix Market body as a sparse matrix."""
        if payload.mimetype == sparse.MIMETYPE:
            return self._read_sparse(payload)
        if payload.mimetype not in _CSV_TYPES:
            raise UnsupportedContentType(
                f"payload format {payload.mimetype!r} is not supported by R models: expected "
                f"text/csv or {sparse.MIMETYPE}. Define a read_input_data hook to read it.",
                mimetype=payload.mimetype,
            )
        return read_csv(self._engine, payload.body)

    def _read_sparse(self, payload: Payload) -> Handle:
        names = payload.parts.get("X.colnames")
        return self._engine.call(
            "read",
            "read_mtx_text",
            decode(payload.bytes()),
            None if names is None else sparse.read_names(names),
        )

    def wrap(self, table: Table) -> Handle:
        """A neutral table as a data frame, or as a sparse matrix where it is sparse."""
        return to_frame(self._engine, table)

    def unwrap(self, data: Handle) -> Table:
        """A data frame as a neutral table, its names matched with the class labels."""
        return self._table(data, self._wanted, self._last_hook)

    def _table(self, data: Handle, labels: Optional[List[str]], hook: str) -> Table:
        columns = self._engine.call(hook, "columns_out", data, labels, hook)
        assert columns is not None
        return to_table(self._engine.api, columns)

    def rows(self, data: Handle) -> Optional[int]:
        """Rows of a frame or matrix; None for anything else."""
        if data is None or data.rows is not None:
            return None if data is None else int(data.rows)
        counted = self._engine.call("read", "frame_rows", data)
        return None if counted is None else int(self._engine.api.to_integers(counted.sexp)[0])

    # Requests

    def hook(self, name: str, data: Handle, context: HookContext) -> Handle:
        """Call one of the structured hooks."""
        call = self._engine.call
        if name == "read_input_data":
            return call(name, "call_hook", self._hooks, name, (data,))
        self._last_hook = name
        if name == "score":
            return call(name, "call_score", self._hooks, data, self._model, self._labels)
        return call(name, "call_hook", self._hooks, name, (data, self._model))

    def predict(self, data: Handle, context: HookContext) -> Table:
        """R's own predict for the model's class."""
        if self._is_crate:
            return crate.table_of(self.invoke(data, None))
        predicted = self._engine.call("predict", "predict_rows", self._opened, data)
        assert predicted is not None
        names, values = scores(self._engine.api, predicted)
        return Table.from_matrix(self._match(names), values)

    def invoke(self, data: Any, params: Optional[Mapping[str, Any]]) -> Any:
        """What a function that MLflow saved answers to a frame, or to what becomes one."""
        if not self._is_crate:
            raise WrongEndpoint("this model takes no calls with any input: use its own routes.")
        if not isinstance(data, RObject):
            data = self.wrap(crate.rows_of(data))
        return crate.call(self._engine, self._model, data, params or {})

    def invoke_stream(self, data: Any, params: Optional[Mapping[str, Any]]) -> Iterator[Any]:
        raise WrongEndpoint("a function in R does not answer part by part.")

    def answer_table(self, value: Any) -> Table:
        """What a function that MLflow saved answered, as a table."""
        return crate.table_of(value)

    def _match(self, names: Tuple[str, ...]) -> Tuple[str, ...]:
        """Names that R made syntactic, as the labels that they stand for."""
        if not (self._wanted and names):
            return names
        if names not in self._renamed:
            held = self._engine.call("predict", "match_labels", list(names), self._wanted)
            assert held is not None
            self._renamed[names] = tuple(self._engine.api.to_strings(held.sexp))
        return self._renamed[names]

    def apply_transformer(self, data: Handle, y: Optional[Handle], context: HookContext) -> Table:
        """The transform hook with ``(data, model, y)``, or the recipe's own bake."""
        result = self._engine.call("transform", "transform_rows", self._hooks, self._model, data, y)
        return self._table(result, None, "transform")

    def unstructured(self, data: Union[str, bytes], context: HookContext) -> Reply:
        """Call ``score_unstructured(model, data, mimetype=, charset=, query=, headers=)``."""
        payload = context.payload
        extra: Dict[str, Any] = {
            "mimetype": payload.mimetype or None,
            "charset": payload.charset,
            "query": Pairs(payload.query),
            "headers": None if payload.headers is None else Pairs(tuple(payload.headers.items())),
        }
        given = {name: value for name, value in extra.items() if value is not None}
        name = "score_unstructured"
        result = self._engine.call(name, "call_unstructured", self._hooks, self._model, data, given)
        reply = self._engine.call(name, "unstructured_reply", result)
        assert reply is not None
        return self._reply(reply)

    def _reply(self, reply: RObject) -> Reply:
        api = self._engine.api
        body, mimetype, charset = (api.get(reply.sexp, i) for i in range(3))
        return Reply(
            self._body(body),
            None if mimetype == api.nil else api.to_strings(mimetype)[0],
            None if charset == api.nil else api.to_strings(charset)[0],
        )

    def _body(self, sexp: r_api.Sexp) -> Union[str, bytes, None]:
        api = self._engine.api
        if sexp == api.nil:
            return None
        return api.to_bytes(sexp) if api.kind(sexp) == r_api.RAW else api.to_texts(sexp)[0]

    def interrupt(self) -> bool:
        """Stop the running call the next time R looks; C code in it runs on until it returns."""
        return self._engine.interrupt()

    def close(self) -> None:
        """Let the model go."""
        self._model = self._opened = self._hooks = None


def _argument(value: Any) -> Any:
    """A parameter as R takes it: numbers with a fraction are vectors of one."""
    return np.array([value]) if isinstance(value, float) else value


def _labels(target: Target) -> Dict[str, Any]:
    """What DRUM gives ``score`` beside data and model; None where it does not apply."""
    return {
        "positive_class_label": target.positive,
        "negative_class_label": target.negative,
        "class_labels": None if target.class_labels is None else list(target.class_labels),
    }
