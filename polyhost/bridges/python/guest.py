"""A Python model as the pipeline drives it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import GeneratorType
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    Generator,
    Iterator,
    List,
    Mapping,
    Optional,
    Union,
)

from polyhost.bridges.python import chat, frames, frameworks
from polyhost.bridges.python.custom import Custom, accepted, takes_positional
from polyhost.bridges.python.faults import as_model_error
from polyhost.bridges.python.interrupt import (
    Interruptible,
    InterruptibleThreads,
    may_be_typed,
)
from polyhost.bridges.python.moderation import moderation_of
from polyhost.bridges.python.query import Query
from polyhost.bridges.python.threads import OpenMP
from polyhost.data.payload import Payload, Table
from polyhost.data.target import TargetType
from polyhost.drum_compat.custom_task import secrets
from polyhost.drum_compat.custom_task.masking import masked
from polyhost.errors import InvalidOutput, MissingHook, PolyhostError
from polyhost.pipeline.fit import FitJob
from polyhost.pipeline.reports import Monitoring, reporter_for
from polyhost.predictor import (
    ArtifactTarget,
    ChatReply,
    GuestInfo,
    HookContext,
    ModelSpec,
    Reply,
    Traits,
)

LANGUAGE = "python"
_END = object()


class PythonGuest:
    """Implements :class:`~polyhost.predictor.Guest`; a handle is a DataFrame or a Table."""

    language = LANGUAGE

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._target = spec.target
        self._custom = Custom(spec.code_dir, spec.custom_file, spec.target.type)
        extra = "all" if self._custom.task is None else "none"
        calls = int(spec.options.get("max_concurrency", 1))
        self.traits = Traits(formats=("mtx",), extra_output=extra, threads=calls, untyped=True)
        self._masks = ExitStack()
        if self._custom.task is not None:
            self._masks.enter_context(masked(secrets.values_of(secrets.current())))
        monitoring = Monitoring.of(spec.options)
        embedded = monitoring is not None and monitoring.embedded
        self._mlops = reporter_for(monitoring) if monitoring and embedded else None
        self._running: Union[Interruptible, InterruptibleThreads] = (
            Interruptible() if calls == 1 else InterruptibleThreads()
        )
        self._moderation = moderation_of(spec.code_dir, spec.target)
        self.hooks: FrozenSet[str] = self._custom.names
        self._model: Any = None
        self._builtin: Optional[frameworks.BuiltIn] = None
        self._transformer: Optional[frameworks.SklearnTransformer] = None

    # Loading

    def run_init(self) -> None:
        hook, code_dir = self._custom["init"], str(self._spec.code_dir)
        if self._custom.accepts("init", "code_dir"):
            self._call("init", hook, code_dir=code_dir)
        else:
            self._call("init", hook, *(code_dir,) * takes_positional(hook))

    def run_load_model(self) -> bool:
        self._model = self._call("load_model", self._custom["load_model"], str(self._spec.code_dir))
        return self._model is not None

    def load_artifact(self, artifact: Optional[Path]) -> None:
        if artifact is not None:
            self._model = frameworks.load_artifact(artifact)

    def describe(self) -> GuestInfo:
        kind = self._target.type
        if kind is TargetType.TRANSFORM:
            if "transform" in self.hooks:
                return GuestInfo()
            self._transformer = frameworks.transformer(self._model)
            return self._transformer.info if self._transformer else GuestInfo(predicts=False)
        if kind is TargetType.UNSTRUCTURED or "score" in self.hooks:
            return GuestInfo(predicts="score" in self.hooks)
        self._builtin = frameworks.built_in(self._model, self._target)
        self._openmp = OpenMP()
        return self._builtin.info if self._builtin else GuestInfo(predicts=False)

    def artifact_target(self) -> Optional[ArtifactTarget]:
        """What the loaded model was trained for, where its library says it."""
        return frameworks.target_of(self._model)

    def fit(self, job: FitJob) -> None:
        """Train with the ``fit`` hook or the custom task; they leave files in the output folder."""
        hook = self._custom.fit()
        if hook is None:
            raise MissingHook(
                f"nothing to train with in {self._spec.custom_file or self._spec.code_dir}: "
                "expected a fit hook or a class CustomTask. Define one of them.",
                language=LANGUAGE,
                hook="fit",
            )
        rows = frames.from_table(job.rows)
        if "transform" in self.hooks and self._target.type is not TargetType.TRANSFORM:
            rows = self._call("transform", self._custom["transform"], rows, None)
        arguments = {
            "X": rows,
            "y": frames.series(job.target),
            "output_dir": str(job.output_dir),
            "class_order": None if job.class_order is None else list(job.class_order),
            "row_weights": frames.series(job.weights),
            "parameters": dict(job.parameters),
        }
        self._call("fit", hook, **accepted(hook, arguments))

    # Data

    @property
    def _wants_tables(self) -> bool:
        """No hook sees the data, so it need not become a DataFrame first."""
        if "transform" in self.hooks:
            return False
        return self._builtin is not None or self._transformer is not None

    def read(self, payload: Payload) -> Any:
        builtin = self._builtin if self._wants_tables else None
        numeric = builtin is not None and builtin.info.matrix
        texts = bool(getattr(builtin, "texts", False))
        return frames.read(payload, table=self._wants_tables, numeric=numeric, texts=texts)

    def wrap(self, table: Table) -> Any:
        table = frames.typed(table)
        return table if self._wants_tables else frames.from_table(table)

    def unwrap(self, data: Any) -> Table:
        if isinstance(data, Table):
            return data
        return frames.to_table(data)

    def rows(self, data: Any) -> Optional[int]:
        return len(data) if isinstance(data, Table) or frames.is_frame(data) else None

    # Calls

    def hook(self, name: str, data: Any, context: HookContext) -> Any:
        if name == "score" and self._moderation is not None:
            return self._moderation.score(
                data, lambda rows: self._hook(name, rows, context), context.target
            )
        return self._hook(name, data, context)

    def _hook(self, name: str, data: Any, context: HookContext) -> Any:
        function = self._custom[name]
        if isinstance(data, Table):
            data = frames.from_table(data)
        if name == "read_input_data":
            return self._call(name, function, data)
        if name == "score":
            named = self._custom.accepted(name, self._score_arguments(context))
            if self._custom.accepts(name, "binary_data"):
                named["binary_data"] = context.payload.bytes()
            found = self._call(name, function, data, self._model, **named)
        else:
            found = self._call(name, function, data, self._model)
        if not frames.is_frame(found):
            says = "Output of post_process hook must be a dataframe"
            if name != "post_process":
                says = f"{name} must return a dataframe"
            raise InvalidOutput(
                f"{says}, but received {type(found)}.",
                language=LANGUAGE,
                hook=name,
                expected="pandas.DataFrame",
                found=type(found).__name__,
            )
        return found

    def _score_arguments(self, context: HookContext) -> Dict[str, Any]:
        payload, target = context.payload, context.target
        arguments: Dict[str, Any] = {
            "target_type": target.type,
            "mimetype": payload.mimetype,
            "charset": payload.charset,
            "sparse_colnames": frames.sparse_names(payload),
        }
        if target.type is TargetType.BINARY:
            arguments["positive_class_label"] = target.positive
            arguments["negative_class_label"] = target.negative
        if target.class_labels is not None:
            arguments["class_labels"] = list(target.class_labels)
        return arguments

    def predict(self, data: Any, context: HookContext) -> Table:
        if self._builtin is None:  # it was let in for its chat hook
            raise MissingHook(
                "this model makes no predictions: expected a score hook, or a model that a "
                f"built-in predict knows; hooks found: {', '.join(sorted(self.hooks))}. Define "
                "score, or use the chat endpoint.",
                language=LANGUAGE,
                hook="score",
            )
        with self._openmp.sized(self.rows(data)):
            table: Table = self._call("predict", self._builtin.predict, data)
        return table

    def apply_transformer(self, data: Any, y: Any, context: HookContext) -> Table:
        if "transform" in self.hooks:
            arguments = (data, self._model, y)[: self._custom.transform_arity]
            found = self._call("transform", self._custom["transform"], *arguments)
        else:
            assert self._transformer is not None
            found = self._call("transform", self._transformer.transform, data)
            found = frames.from_transformer(found)
        if isinstance(found, tuple):
            raise InvalidOutput(
                "Transformation of the target variable is not supported by DRUM. transform returned "
                "a tuple; expected a dataframe. Return the transformed features alone.",
                language=LANGUAGE,
                hook="transform",
                found="tuple",
            )
        return frames.to_table(found, "transform")

    def unstructured(self, data: Union[str, bytes], context: HookContext) -> Reply:
        payload = context.payload
        arguments: Dict[str, Any] = {"mimetype": payload.mimetype, "query": Query.of(payload)}
        if payload.charset is not None:
            arguments["charset"] = payload.charset
        if payload.headers is not None:
            arguments["headers"] = dict(payload.headers)
        if self._mlops is not None:
            arguments["mlops"] = self._mlops
        name = "score_unstructured"
        named = self._custom.accepted(name, arguments)

        def call(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
            return self._call(name, function, *args, **named)

        return _reply(call(self._custom[name], self._model, data, **named), call)

    def chat(self, params: Mapping[str, Any], headers: Mapping[str, str]) -> ChatReply:
        def call(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
            return self._call("chat", function, *args, **named)

        named = self._custom.accepted("chat", {"headers": dict(headers)})

        def ask(params: Mapping[str, Any]) -> ChatReply:
            return chat.reply(call(self._custom["chat"], dict(params), self._model, **named), call)

        return ask(params) if self._moderation is None else self._moderation.chat(params, ask)

    def openai(self, hook: str, params: Mapping[str, Any], headers: Mapping[str, str]) -> ChatReply:
        def call(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
            return self._call(hook, function, *args, **named)

        named = self._custom.accepted(hook, {"headers": dict(headers)})
        found = call(self._custom[hook], dict(params), self._model, **named)
        return chat.openai_reply(hook, found, call)

    def llm_models(self) -> List[Mapping[str, Any]]:
        name = "get_supported_llm_models"
        return chat.models(self._call(name, self._custom[name], self._model))

    def _call(self, hook: str, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Call guest code; what it raises becomes a ModelError with its own traceback.

        Whatever it is: a CancelledError, an exit or a GeneratorExit of the guest's must not end
        what called it. Only an interrupt that was asked for, or typed, passes.
        """
        with self._running:
            try:
                return function(*args, **named)
            except PolyhostError:
                raise
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt) and (self._running.asked or may_be_typed()):
                    raise
                raise as_model_error(error, LANGUAGE, hook, self._spec.code_dir) from error

    def interrupt(self) -> bool:
        return self._running.interrupt()

    def interrupt_thread(self, thread: int) -> bool:
        return self._running.interrupt(thread)

    def close(self) -> None:
        self._running.close()
        if self._moderation is not None:
            self._moderation.close()
        if self._mlops is not None:
            self._mlops.close()
        self._masks.close()
        self._custom.close()
        self._model = self._builtin = self._transformer = None


def _reply(found: Any, call: chat.Call) -> Reply:
    data, settings = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
    known = data is None or isinstance(data, (str, bytes, GeneratorType))
    if not known or not (settings is None or isinstance(settings, dict)):
        kinds = [type(item).__name__ for item in found] if isinstance(found, tuple) else None
        raise InvalidOutput(
            "score_unstructured must return text, bytes, None, a generator of text or bytes, or a tuple of one of them and a "
            f"dict; found {type(found).__name__}{f' of {kinds}' if kinds else ''}.",
            language=LANGUAGE,
            hook="score_unstructured",
            found=type(found).__name__,
        )
    settings = settings or {}
    if isinstance(data, GeneratorType):
        data = _chunks(data, call)
    return Reply(data, settings.get("mimetype"), settings.get("charset"))


def _chunks(source: Generator[Any, Any, Any], call: chat.Call) -> Iterator[Any]:
    """What a hook's generator makes; its code runs as the hook's own does."""
    try:
        while True:
            chunk = call(next, source, _END)
            if chunk is _END:
                return
            yield chunk
    finally:
        call(source.close)
