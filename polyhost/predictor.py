"""The predictor protocol: what a loaded model is to everything above it, and what a bridge gives.

A *bridge* provides a :class:`Guest`: a model as its own language holds it, with its hooks. The
*pipeline* drives a guest in the one hook order and is a :class:`Predictor`: what the worker, the
command line and ``polyhost.load`` talk to. Nothing here imports a bridge, a web framework or a
model library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    Any,
    FrozenSet,
    Iterator,
    List,
    Mapping,
    Optional,
    Protocol,
    Tuple,
    Union,
    runtime_checkable,
)

from polyhost.data.column_info import ColumnInfo as ColumnInfo
from polyhost.data.payload import Payload, Scores, Table, Tensors
from polyhost.data.target import Target, TargetType

Handle = Any
"""A value that lives in the guest's own language; opaque to everyone but its bridge."""

HOOKS = (
    "init",
    "load_model",
    "read_input_data",
    "transform",
    "score",
    "post_process",
    "score_unstructured",
)
"""The hooks a code dir may define, in call order; the same names in every language."""

OPENAI_HOOKS = ("completions", "embeddings", "responses")
"""Hooks for the routes of OpenAI's that are called like them."""
CHAT_HOOKS = ("chat", *OPENAI_HOOKS, "get_supported_llm_models")
"""Hooks for conversations, where a language has them; they stand beside the others."""


@dataclass(frozen=True)
class ModelSpec:
    """Everything a worker needs to load a model. Plain data: it crosses to the worker as JSON.

    ``artifact_names`` are the candidates found beside the custom file, relative to ``code_dir``;
    ``custom_file`` is the hooks' file, or None.
    """

    code_dir: Path
    language: str
    target: Target
    custom_file: Optional[Path] = None
    artifacts: Tuple[Path, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Traits:
    """How a bridge differs from the others: data that the pipeline reads, never a branch.

    ``post_process_sees``: ``"marshalled"`` (validated and relabelled) or ``"raw"`` (what ``score``
    or the built-in predict returned). ``extra_output``: target types whose ``score`` hook may
    return extra columns (``"all"``, ``"classification+regression"`` or ``"none"``).
    ``one_artifact``: several artifacts are an error when no load_model hook chooses.
    ``threads``: calls the guest takes at once; 0 is any number. A bridge whose hooks may be called
    so gives what the option ``max_concurrency`` asks for. ``artifact_optional``: a code dir
    whose hooks do all the work needs neither an artifact nor ``load_model``.
    ``load_model_may_defer``: a ``load_model`` hook that returned nothing leaves the loading to the
    built-in loader. ``formats``: what its own reader takes besides CSV (``mtx``).
    ``untyped``: ``wrap`` types a column of texts as its language's standard reader would where
    ``Dictionary.untyped`` says that they come from a file and nobody knows their kind.
    ``missing_answers``: the built-in predict answers some rows that have missing values with
    missing probabilities.
    """

    post_process_sees: str = "marshalled"
    extra_output: str = "all"
    one_artifact: bool = True
    threads: int = 1
    transform_target: bool = True
    artifact_optional: bool = False
    load_model_may_defer: bool = False
    formats: Tuple[str, ...] = ()
    untyped: bool = False
    missing_answers: bool = False


@dataclass(frozen=True)
class GuestInfo:
    """What a guest knows of its model once it is loaded.

    ``row_wise``: the built-in predict treats each row on its own, so rows of several requests may
    be put in one call. ``matrix``: it takes a numeric table as one float64 matrix just as well as
    column by column. ``schema_source``: where ``columns`` come from: ``model``, ``signature``,
    ``metadata``, ``example`` or ``nothing``. ``spelling``: how the model's library spells a
    column's name that it was given: ``""`` (as it is), ``underscores`` (for blanks) or
    ``make.names`` (as R does). ``target_type``: the one that the artifact was trained for.
    ``extras``: columns of the built-in predict's answer that stand beside its predictions, such as
    calibrated probabilities, where the option ``extra_outputs`` asks for them. ``tensors``: name (empty
    for the only one), numpy's type and shape (-1 is any size) of the arrays that the model takes, where
    it takes no columns.
    """

    framework: Optional[str] = None
    labels: Tuple[str, ...] = ()
    columns: Tuple[ColumnInfo, ...] = ()
    schema_source: str = "nothing"
    row_wise: bool = False
    matrix: bool = False
    predicts: bool = True
    spelling: str = ""
    target_type: Optional[str] = None
    extras: Tuple[str, ...] = ()
    tensors: Tuple[Tuple[str, str, Tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class HookContext:
    """What a hook may be given beside its data: the target, and the request it belongs to."""

    target: Target
    payload: Payload


Chunk = Union[str, bytes]


@dataclass(frozen=True)
class Reply:
    """What ``score_unstructured`` answered. ``body`` None is an empty answer; an iterator streams."""

    body: Union[str, bytes, None, Iterator[Chunk]]
    mimetype: Optional[str] = None
    charset: Optional[str] = None


TEXT, VECTORS = "text", "vectors"
"""The only key of an object that stands for what a hook returned in short: a text, or a list of
vectors."""


@dataclass(frozen=True)
class ChatReply:
    """What a hook for conversations answered, as plain JSON objects: a whole one, or chunks that
    stream. An object with the one key ``TEXT`` or ``VECTORS`` stands for one in OpenAI's shape."""

    completion: Optional[Mapping[str, Any]] = None
    chunks: Optional[Iterator[Mapping[str, Any]]] = None


class Guest(Protocol):
    """A model as its own language holds it; what a bridge provides and the pipeline drives.

    Made by ``Bridge.open(spec)``: the runtime is then started and the custom file loaded, but no
    hook has run. Every method runs on the one thread that opened it, unless ``traits.threads``
    says otherwise. Guest code that raises comes out as :class:`~polyhost.errors.ModelError` with
    its native type, message and traceback; a bad value in the data as ``SchemaMismatch``.

    A guest whose ``hooks`` name one of ``CHAT_HOOKS`` also has the method of :class:`ChatGuest`.
    """

    @property
    def language(self) -> str: ...

    @property
    def traits(self) -> Traits: ...

    @property
    def hooks(self) -> FrozenSet[str]:
        """Names of the hooks the custom file defines."""
        ...

    def run_init(self) -> None:
        """Call the ``init`` hook with the code dir."""
        ...

    def run_load_model(self) -> bool:
        """Call the ``load_model`` hook and keep its model; False when it returned nothing."""
        ...

    def load_artifact(self, artifact: Optional[Path]) -> None:
        """Load the built-in artifact; None when the code dir has none and none is needed."""
        ...

    def describe(self) -> GuestInfo:
        """Facts about the loaded model. Called once, after loading."""
        ...

    def read(self, payload: Payload) -> Handle:
        """Parse a CSV (or sparse, or Arrow) body as this language's standard reader would."""
        ...

    def wrap(self, table: Table) -> Handle:
        """A neutral table as this language's frame."""
        ...

    def unwrap(self, data: Handle) -> Table:
        """This language's frame as a neutral table; InvalidOutput when it is not a frame."""
        ...

    def rows(self, data: Handle) -> Optional[int]:
        """Rows of a frame; None when a hook made it something that has none."""
        ...

    def hook(self, name: str, data: Handle, context: HookContext) -> Handle:
        """Call ``read_input_data`` (data: bytes), ``transform``, ``score`` or ``post_process``."""
        ...

    def predict(self, data: Handle, context: HookContext) -> Table:
        """The built-in predict: probabilities by class, or one column, as a neutral table.

        Names are the model's own labels when it has them. A model that does not name its
        classes gives names ``""`` and the labels are applied by position.
        """
        ...

    def apply_transformer(self, data: Handle, y: Optional[Handle], context: HookContext) -> Table:
        """Target type ``transform``: the ``transform`` hook, or the transformer's own method."""
        ...

    def unstructured(self, data: Union[str, bytes], context: HookContext) -> Reply:
        """Call ``score_unstructured``. The context's payload holds type, charset, query, headers
        as the hook must see them."""
        ...

    def interrupt(self) -> bool:
        """Ask the running call to stop, from another thread; False when this runtime cannot."""
        ...

    def close(self) -> None: ...


class ChatGuest(Protocol):
    """What a guest has besides when its custom file defines the hooks for conversations."""

    def chat(self, params: Mapping[str, Any], headers: Mapping[str, str]) -> ChatReply:
        """Call ``chat`` with a request's JSON object. The first chunk has been made when it returns;
        closing the iterator of chunks closes what the hook returned."""
        ...

    def openai(self, hook: str, params: Mapping[str, Any], headers: Mapping[str, str]) -> ChatReply:
        """Call one of ``OPENAI_HOOKS``, in the same way."""
        ...

    def llm_models(self) -> List[Mapping[str, Any]]:
        """Call ``get_supported_llm_models``; what it names, as plain JSON objects."""
        ...


@dataclass(frozen=True)
class ModelInfo:
    """What a host reports to callers about a model. Plain data: it crosses from the worker as JSON.

    ``formats``: structured formats the model takes besides CSV (``mtx``, ``arrow``). ``typed``:
    the model's own schema says what a request's columns are; where not, its hooks get what its
    language's standard reader gives.
    """

    language: str
    target: Target
    hooks: Tuple[str, ...]
    guest: GuestInfo
    batchable: bool
    threads: int = 1
    formats: Tuple[str, ...] = ()
    typed: bool = False


INFER_TARGET = "infer_target"
"""The option of a spec whose target the artifact is to say: the target type that was given, or an
empty text. The spec's target is a stand-in then."""

JOB = "job"
"""The option of a spec whose worker does one job, ``fit``, in place of serving the model."""

ArtifactTarget = Tuple[TargetType, Tuple[str, ...]]
"""Target type and class labels (in the library's order) that an artifact was trained for."""


@runtime_checkable
class TargetGuest(Protocol):
    """What a guest has beside whose artifacts know their target."""

    def artifact_target(self) -> Optional[ArtifactTarget]:
        """What the loaded artifact was trained for; None when it does not say."""
        ...


@runtime_checkable
class InvokedGuest(Protocol):
    """What a guest has beside whose model answers any input with any value: MLflow's models."""

    def invoke(self, data: Any, params: Optional[Mapping[str, Any]]) -> Any:
        """What the model answers to a handle, to arrays, or to a plain value of JSON. ``params``
        are those of the call; None where the model declares none and none came."""
        ...

    def invoke_stream(self, data: Any, params: Optional[Mapping[str, Any]]) -> Iterator[Any]:
        """The parts of an answer as the model makes them; WrongEndpoint when it makes none."""
        ...

    def answer_table(self, value: Any) -> Table:
        """What ``invoke`` returned as a table; InvalidOutput when it is none."""
        ...


@runtime_checkable
class TensorGuest(Protocol):
    """What a guest that works on arrays has beside; others are given a table of them."""

    def wrap_tensors(self, tensors: Tensors) -> Handle:
        """Named arrays as this language's own."""
        ...


@runtime_checkable
class ThreadedGuest(Protocol):
    """What a guest has beside that takes several calls at once and can stop one of them."""

    def interrupt_thread(self, thread: int) -> bool:
        """Ask the call on this thread to stop, from another; False when there is none."""
        ...


class Predictor(Protocol):
    """A loaded model. Not thread-safe unless its info says so."""

    @property
    def info(self) -> ModelInfo: ...

    def predict(self, request: Union[Payload, Table, Tensors], /) -> Scores:
        """Predict one request: one row out per row in, for the types that promise it."""
        ...

    def invoke(self, data: Any, params: Optional[Mapping[str, Any]] = None, /) -> Any:
        """What the model itself answers to a payload, a table, arrays or a plain value, with the
        parameters of the call; WrongEndpoint where it cannot be asked so."""
        ...

    def invoke_stream(
        self, data: Any, params: Optional[Mapping[str, Any]] = None, /
    ) -> Iterator[Any]:
        """The same, part by part."""
        ...

    def answer_table(self, value: Any, /) -> Table:
        """What ``invoke`` returned as a table; InvalidOutput when it is none."""
        ...

    def predict_many(self, tables: List[Table], /) -> List[Union[Scores, Exception]]:
        """Predict several requests' tables, in one call where ``info.batchable``."""
        ...

    def answer(self, request: Payload, /) -> Reply:
        """Answer one unstructured request."""
        ...

    def transform(self, request: Payload, /) -> Table:
        """Transform one request's rows (target type ``transform``)."""
        ...

    def chat(
        self,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
        /,
        association_id: Optional[str] = None,
    ) -> ChatReply:
        """Answer one conversation with the ``chat`` hook; WrongEndpoint when there is none.

        ``association_id`` is what reports of it are known by."""
        ...

    def openai(
        self, hook: str, params: Mapping[str, Any], headers: Mapping[str, str], /
    ) -> Optional[ChatReply]:
        """Answer one request with one of ``OPENAI_HOOKS``; None without it."""
        ...

    def llm_models(self) -> Optional[List[Mapping[str, Any]]]:
        """The models that the ``get_supported_llm_models`` hook names; None without it."""
        ...

    def interrupt(self) -> bool: ...

    def interrupt_thread(self, thread: int, /) -> bool:
        """Stop the call that runs on this thread; False when the guest cannot."""
        ...

    def close(self) -> None: ...
