"""R inside this process: started once, called on the thread that started it."""

from __future__ import annotations

import os
import threading
import warnings
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Type

from polyhost.bridges import native
from polyhost.bridges.r.api import Api, Sexp
from polyhost.bridges.r.install import environment, restore_library_path, unusable
from polyhost.errors import (
    InvalidInput,
    InvalidOutput,
    LoadError,
    MissingHook,
    ModelError,
    PolyhostError,
    RuntimeUnavailable,
    SchemaMismatch,
)

LANGUAGE = "r"

_KINDS: Dict[str, Type[PolyhostError]] = {
    "schema_mismatch": SchemaMismatch,
    "invalid_input": InvalidInput,
    "invalid_output": InvalidOutput,
    "load_error": LoadError,
    "missing_hook": MissingHook,
    "runtime_unavailable": RuntimeUnavailable,
}
"""Conditions of the R package by kind: what its ``abort()`` signals."""

_LOAD = """
function(folder) {
  env <- new.env(parent = asNamespace("stats"))
  for (file in list.files(folder, "[.]R$", full.names = TRUE)) {
    sys.source(file, env, keep.source = FALSE)
  }
  env
}
"""


class RObject:
    """An R object kept alive as long as this is; let go on R's own thread."""

    __slots__ = ("sexp", "rows", "_engine")

    def __init__(self, engine: Engine, sexp: Sexp, rows: Optional[int] = None) -> None:
        engine.api.lib.R_PreserveObject(sexp)
        self.sexp = sexp
        self.rows = rows
        self._engine = engine

    def __del__(self) -> None:
        # Python may collect on any thread, while R runs on its own.
        self._engine.dropped.append(self.sexp)


class Engine:
    """The one R of this process. Made by :func:`start`."""

    def __init__(self) -> None:
        _initialize()
        self.api = Api()
        self.dropped: Deque[Sexp] = deque()
        self._pid = os.getpid()
        self._thread = threading.get_ident()
        self._running = False
        self._failed = self.api.ffi.new("int *", 0)
        self._fixed: Dict[str, Sexp] = {}
        self._functions: Dict[str, Sexp] = {}
        self._out, self._err = _Console(1), _Console(2)
        self._redirect()
        self._namespace = _evaluate(_LOAD)(str(native.folder("r") / "R"))
        self._guard = self._function("guard")

    def call(self, hook: str, function: str, *arguments: Any) -> Optional[RObject]:
        """Call a function of the R package; None for NULL.

        ``hook`` is what the call is to whoever reads its error. Raises what R signalled, as a
        ModelError or as the PolyhostError that it stands for; KeyboardInterrupt when interrupted.
        """
        api = self.api
        self._enter()
        values = api.protect(api.alloc(19, len(arguments)))
        try:
            for i, argument in enumerate(arguments):
                api.put(values, i, api.value(argument))
            call = api.protect(
                api.lib.Rf_lang4(self._guard, self._text(hook), self._function(function), values)
            )
        except BaseException:
            api.unprotect(1)
            raise
        result = self._evaluate(call)
        api.protect(result)
        try:
            return self._outcome(hook, result)
        finally:
            api.unprotect(3)

    def hold(self, sexp: Sexp, rows: Optional[int] = None) -> RObject:
        """Keep an object that was made by hand."""
        return RObject(self, sexp, rows)

    def interrupt(self) -> bool:
        """Ask the running call to stop, from another thread; R looks while it runs R code."""
        if self._running:
            self.api.lib.R_interrupts_pending = 1
        return True

    def after_fork(self) -> None:
        """In a child of a process that had R: an own temporary folder, own random numbers."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._thread = threading.get_ident()
        self.call("open", "enter_child")

    def _enter(self) -> None:
        if threading.get_ident() != self._thread:
            raise RuntimeUnavailable(
                "R was called on another thread: expected the one that started it. "
                "Load the model behind a worker, or call it there.",
                language=LANGUAGE,
            )
        release = self.api.lib.R_ReleaseObject
        while self.dropped:
            release(self.dropped.popleft())

    def _evaluate(self, call: Sexp) -> Sexp:
        lib = self.api.lib
        lib.R_interrupts_pending = 0
        self._running = True
        try:
            return lib.R_tryEval(call, lib.R_GlobalEnv, self._failed)
        finally:
            self._running = False
            lib.R_interrupts_pending = 0
            self._out.flush()
            self._err.flush()

    def _outcome(self, hook: str, result: Sexp) -> Optional[RObject]:
        api = self.api
        if self._failed[0]:  # not even the guard could catch it
            raise _guest_error(hook, ["", "error", "R failed outside of any handler", "", ""])
        failure = api.get(result, 1)
        if failure != api.nil:
            raise _error(hook, api.to_strings(failure))
        value = api.get(result, 0)
        return None if value == api.nil else RObject(self, value)

    def _function(self, name: str) -> Sexp:
        if name not in self._functions:
            found = self._namespace[name]
            self.api.lib.R_PreserveObject(found.__sexp__._cdata)
            self._functions[name] = found.__sexp__._cdata
        return self._functions[name]

    def _text(self, text: str) -> Sexp:
        if text not in self._fixed:
            vector = self.api.texts((text,))
            self.api.lib.R_PreserveObject(vector)
            self._fixed[text] = vector
        return self._fixed[text]

    def _redirect(self) -> None:
        from rpy2.rinterface_lib import callbacks

        callbacks.consolewrite_print = self._out.write
        callbacks.consolewrite_warnerror = self._err.write


class _Console:
    """What R prints, which comes in fragments, to a file descriptor by the line."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: List[str] = []

    def write(self, text: str) -> None:
        self._waiting.append(text)
        if text.endswith("\n"):
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        data = memoryview("".join(self._waiting).encode("utf-8", "replace"))
        self._waiting.clear()
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            return  # nobody reads: output that nobody reads must not fail the model


def _error(hook: str, failure: List[str]) -> BaseException:
    kind, message = failure[0], failure[2]
    if kind == "interrupt":
        return KeyboardInterrupt(f"R was interrupted in {hook}")
    if not kind:
        return _guest_error(hook, failure)
    if kind == "invalid_output":
        return InvalidOutput(message, language=LANGUAGE, hook=hook)
    return _KINDS[kind](message, language=LANGUAGE)


def _guest_error(hook: str, failure: List[str]) -> ModelError:
    _, native_type, message, trace, location = failure
    return ModelError.in_hook(
        language=LANGUAGE,
        hook=hook,
        native_type=native_type,
        native_message=message,
        native_traceback=trace,
        location=location or None,
    )


_engine: Optional[Engine] = None


def start() -> Engine:
    """R, started in this process if it was not yet, and made this process's own after a fork."""
    global _engine
    if _engine is None:
        _engine = Engine()
    _engine.after_fork()
    return _engine


def _initialize() -> None:
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeUnavailable(
            "R can only be started on the main thread of a process. Load the model there, or "
            "behind a worker.",
            language=LANGUAGE,
        )
    reason = unusable()
    if reason:
        raise RuntimeUnavailable(reason, language=LANGUAGE)
    for name, value in environment().items():
        os.environ.setdefault(name, value)
    try:
        from rpy2.rinterface_lib import embedded

        # --vanilla: no .Rprofile or .RData of whatever folder this is. Limit 0 leaves R its own
        # check of the C stack, so that a deep recursion is an error and no crash.
        embedded.set_initoptions(("rpy2", "--quiet", "--vanilla"))
        embedded._DEFAULT_C_STACK_LIMIT = 0
        from rpy2 import rinterface
    except (ImportError, OSError, ValueError) as error:
        raise RuntimeUnavailable(
            f"rpy2 cannot use this R: {error}. Expected an rpy2 that was built for it. Install "
            "with: pip install --force-reinstall --no-binary rpy2 'polyhost[r]'",
            language=LANGUAGE,
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # R redefines LD_LIBRARY_PATH, and rpy2 warns of it
        rinterface.initr(interactive=False)
    restore_library_path()


def _evaluate(code: str) -> Callable[..., Any]:
    from rpy2 import rinterface

    return rinterface.evalr(code)  # type: ignore[no-any-return]
