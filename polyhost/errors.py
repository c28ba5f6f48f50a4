"""The one error tree.

PolyhostError
├── CodeDirError          the code dir is wrong: the model author acts
│   ├── ArtifactNotFound      no artifact, or several where one is needed
│   ├── MissingHook           a hook that this kind of model needs is not defined
│   ├── AmbiguousLanguage     nothing, or too much, says which language this is
│   ├── LoadError             the artifact or the custom file cannot be loaded
│   │   └── NotTrained            there is no model yet, but code that trains one
│   ├── DigestMismatch        a file is not the one whose digest was pinned
│   └── SourceError           a folder, archive or address cannot be made a version
│       └── TrackingUnreachable   a tracking server cannot be reached, or refuses us
├── SettingsError         a flag, a variable or a metadata value is wrong: the operator acts
│   └── WrongOptions          options of a command that exclude each other
├── StoreError            the store is full, or what it holds is damaged: the operator acts
├── StateError            the file of the desired state cannot be read: the operator acts
├── NoRoom                the host's disk cannot hold a body: the operator acts
├── InvalidInput          the request is wrong: the caller acts
│   ├── UnsupportedContentType
│   ├── UnsupportedCoding     the body is compressed in a way that is not understood
│   ├── NotAcceptable         the answer cannot have any of the types that Accept names
│   ├── BodyTooLarge          the body has more bytes than the model, or the host, takes
│   ├── TooManyRows           the body has more rows than the model takes at once
│   ├── WrongEndpoint         a structured route for an unstructured model, and the like
│   └── SchemaMismatch        columns are missing or hold what the model cannot take
├── AccessDenied          the caller's key: the caller, or whoever gives out keys, acts
│   ├── KeyMissing            no key, or one that is not known
│   └── KeyRefused            the key does not open this model
├── ModelError            guest code raised: language, hook, native type, native traceback
│   ├── InvalidOutput         guest code returned the wrong type, columns or row count
│   ├── SchemaViolation       data is not what typeSchema in model-metadata.yaml requires
│   └── GuestStatus           guest code asked for an HTTP status of its own
├── RuntimeUnavailable    a JDK, R, Julia or an extra is missing: the operator acts
│   └── EnvironmentFailed     a model's own Python environment cannot be built
└── WorkerError           the process
    ├── WorkerStartTimeout
    ├── WorkerCrashed
    ├── WorkerTimeout         the model's deadline passed
    ├── WorkerBusy            the queue is full
    ├── TrainingRuns          the model is being trained already
    ├── WorkerNotReady        no worker can answer now
    └── RequestCancelled      the client went away before its answer

Whoever must act is the first branch. What crosses a process boundary is the tagged form made by
:func:`to_wire`, never a pickled exception.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Dict, Iterable, Optional, Tuple, Type


class PolyhostError(Exception):
    """Base of every error that polyhost raises on purpose."""

    kind: ClassVar[str] = "PolyhostError"

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts: Dict[str, Any] = facts

    def __reduce__(self) -> Tuple[Any, ...]:
        """Pickled in its tagged form, for a program's own processes and clusters."""
        return from_wire, (to_wire(self),)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = cls.__name__
        _KINDS[cls.kind] = cls

    def __getattr__(self, name: str) -> Any:
        facts = self.__dict__.get("facts") or {}
        if name in facts:
            return facts[name]
        raise AttributeError(name)


_KINDS: Dict[str, Type[PolyhostError]] = {"PolyhostError": PolyhostError}


class CodeDirError(PolyhostError):
    """The code dir is wrong."""


class ArtifactNotFound(CodeDirError):
    """No artifact, or more than one where exactly one is needed."""

    @classmethod
    def none(
        cls, code_dir: Path, expected: Iterable[str], found: Iterable[str], says: str = ""
    ) -> ArtifactNotFound:
        names = sorted(found)
        return cls(
            "An error occurred when loading your artifact. Could not find model artifact file in: "
            f"{code_dir} supported by default predictors: expected a name ending in "
            f"{', '.join(expected)}; found {', '.join(names[:100]) or 'no files'}. "
            f"{says or 'Add the artifact, or define a load_model hook.'}",
            code_dir=str(code_dir),
            found=names,
        )

    @classmethod
    def several(cls, code_dir: Path, found: Iterable[str]) -> ArtifactNotFound:
        names = sorted(found)
        return cls(
            f"Multiple serialized model files found in {code_dir}: expected exactly one. Multiple "
            f"serialized model artifacts found: [{' '.join(names)}]. Keep one, or define a "
            "load_model hook that chooses.",
            code_dir=str(code_dir),
            found=names,
        )


class MissingHook(CodeDirError):
    """A hook that this kind of model needs is not defined."""


class AmbiguousLanguage(CodeDirError):
    """The language of a code dir cannot be determined."""


class LoadError(CodeDirError):
    """The artifact or the custom file cannot be loaded."""


class NotTrained(LoadError):
    """There is no model yet, but code that trains one."""


class SourceError(CodeDirError):
    """A folder, archive or address cannot be made a version of a model."""


class TrackingUnreachable(SourceError):
    """A tracking server, or another server of models, cannot be reached or refuses: nothing is known
    of what it has."""


class DigestMismatch(CodeDirError):
    """A file is not the one whose digest was pinned. Facts: ``file``, ``expected``, ``found``."""


class SettingsError(PolyhostError):
    """A flag, an environment variable or a metadata value is wrong."""


class WrongOptions(SettingsError):
    """Options of a command that exclude each other."""


class StoreError(PolyhostError):
    """The store is full, or what it holds is damaged."""


class StateError(PolyhostError):
    """The file of the desired state cannot be read."""


class NoRoom(PolyhostError):
    """The host's disk cannot hold a body."""


class InvalidInput(PolyhostError):
    """The request is wrong."""


class UnsupportedContentType(InvalidInput):
    """The body's type is one this model cannot read."""


class UnsupportedCoding(InvalidInput):
    """The body's Content-Encoding is not one that is understood."""


class NotAcceptable(InvalidInput):
    """The answer cannot have any of the types that the request's Accept names."""


class BodyTooLarge(InvalidInput):
    """The body has more bytes than the model, or the host, takes."""


class TooManyRows(InvalidInput):
    """The body has more rows than the model takes at once. Facts: ``expected``, ``found``."""


class WrongEndpoint(InvalidInput):
    """The route does not fit the model's target type."""


class SchemaMismatch(InvalidInput):
    """The columns or values do not fit the model."""


class AccessDenied(PolyhostError):
    """The caller may not do this."""


class KeyMissing(AccessDenied):
    """The request shows no key, or one that is not known."""


class KeyRefused(AccessDenied):
    """The request's key does not open what it asks for."""


class ModelError(PolyhostError):
    """Guest code raised.

    Facts: ``language``, ``hook`` (or ``predict`` for a built-in), ``native_type``,
    ``native_message``, ``native_traceback`` (text), ``location`` (``file:line`` or None).
    """

    @classmethod
    def in_hook(
        cls,
        *,
        language: str,
        hook: str,
        native_type: str,
        native_message: str,
        native_traceback: str = "",
        location: Optional[str] = None,
    ) -> ModelError:
        where = f" at {location}" if location else ""
        return cls(
            f"model {hook!r} failed in {language}: {native_type}: {native_message}{where}",
            language=language,
            hook=hook,
            native_type=native_type,
            native_message=native_message,
            native_traceback=native_traceback,
            location=location,
        )


class InvalidOutput(ModelError):
    """Guest code returned the wrong type, columns or row count."""


class SchemaViolation(ModelError):
    """Data is not what the metadata's ``typeSchema`` requires. Facts: ``unmet``, what is wrong."""


class GuestStatus(ModelError):
    """Guest code asked for an HTTP status of its own. Facts: ``status`` (int)."""


class RuntimeUnavailable(PolyhostError):
    """A runtime or an extra is missing; the message names the install command."""


class EnvironmentFailed(RuntimeUnavailable):
    """A model's own Python environment cannot be built.

    Facts: ``step`` that failed, and ``output``, the last lines of the installer.
    """


class WorkerError(PolyhostError):
    """The worker process failed, not the model's code in it."""


class WorkerStartTimeout(WorkerError):
    """The worker did not say READY in time."""


class WorkerCrashed(WorkerError):
    """The worker process ended. Facts: ``exit_code`` (negative: a signal); ``outside``, true when
    it may have been ended by somebody else than its guest; ``by_request``, true when the request
    that ran is known to be the cause."""


class WorkerTimeout(WorkerError):
    """The model's deadline passed."""


class WorkerBusy(WorkerError):
    """The model's queue is full."""


class TrainingRuns(WorkerError):
    """The model is being trained already."""


class WorkerNotReady(WorkerError):
    """No worker of the model can answer now."""


class RequestCancelled(WorkerError):
    """The client went away before its answer."""


def to_wire(error: BaseException) -> Dict[str, Any]:
    """The tagged, JSON-able form of an error; anything unknown becomes a PolyhostError."""
    if isinstance(error, PolyhostError):
        return {"kind": error.kind, "message": error.message, "facts": error.facts}
    return {"kind": "PolyhostError", "message": f"{type(error).__name__}: {error}", "facts": {}}


def from_wire(wire: Dict[str, Any]) -> PolyhostError:
    """The error that :func:`to_wire` described; an unknown kind becomes a PolyhostError."""
    kind = _KINDS.get(str(wire.get("kind")), PolyhostError)
    facts = wire.get("facts")
    return kind(str(wire.get("message", "")), **(facts if isinstance(facts, dict) else {}))
