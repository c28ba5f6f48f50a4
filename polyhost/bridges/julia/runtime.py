"""Julia in this process: started once, entered through the C functions of its PolyHost package.

Every call must come from the thread that started it. Values stay on Julia's side under integer
handles; what a call's ``out`` points at is valid until the next call.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import threading
from collections import deque
from pathlib import Path
from typing import Any, Deque, Dict, Iterable, List, Optional, Type, Union

import numpy as np

from polyhost import errors
from polyhost.bridges import native
from polyhost.bridges.julia import installation as installed

logger = logging.getLogger(__name__)

LANGUAGE = "julia"

# Positions in ENTRIES of runtimes/julia/src/entries.jl.
(
    LAST_ERROR,
    OPEN,
    INIT,
    LOAD_MODEL,
    LOAD_ARTIFACT,
    DESCRIBE,
    READ,
    SCHEMA,
    WRAP,
    ROWS,
    UNWRAP,
    HOOK,
    READ_HOOK,
    PREDICT,
    PREDICT_BLOCK,
    TRANSFORM,
    UNSTRUCTURED,
    FREE,
    CALLS_PYTHON,
    WARM,
    FIT,
) = range(21)

_SIGNATURE = (ctypes.c_int, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
_HOLDING_GIL = ctypes.PYFUNCTYPE(*_SIGNATURE)
_RELEASING_GIL = ctypes.CFUNCTYPE(*_SIGNATURE)

# Julia blocks these on the thread that starts it, so that Python's handlers would never run.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1, signal.SIGABRT)

_FAULTS: Dict[str, Type[errors.PolyhostError]] = {
    kind.__name__: kind
    for kind in (
        errors.InvalidInput,
        errors.SchemaMismatch,
        errors.MissingHook,
        errors.RuntimeUnavailable,
    )
}

_BOOT = """
begin
    POLYHOST_FAILURE = ""
    pushfirst!(DEPOT_PATH, {depot})
    push!(LOAD_PATH, {package}, {shims})
    try
        UInt64(pointer(Base.invokelatest(getfield, Base.require(Main, :PolyHost), :TABLE)))
    catch failure
        global POLYHOST_FAILURE = sprint(showerror, failure, catch_backtrace())
        UInt64(0)
    finally
        popfirst!(DEPOT_PATH)
    end
end
"""


class Runtime:
    """The one Julia of this process."""

    _only: Optional[Runtime] = None

    def __init__(self) -> None:
        self.installation = installed.find()
        depot = installed.prepare()
        self._thread = threading.get_ident()
        self._library = _start(self.installation)
        table = self._boot(depot)
        self._out = np.zeros(8, dtype=np.int64)
        self._out_address = self._out.ctypes.data
        self._freed: Deque[int] = deque()
        self._entries = [_HOLDING_GIL(address) for address in table]
        # A project with PyCall or PythonCall calls into Python without taking the lock itself.
        if not self.call(CALLS_PYTHON)[0]:
            self._entries = [_RELEASING_GIL(address) for address in table]
        self._warm = False

    @classmethod
    def started(cls) -> Runtime:
        """The runtime, started on this thread if it is not yet."""
        if cls._only is None:
            cls._only = cls()
        if cls._only._thread != threading.get_ident():
            raise RuntimeError("Julia runs on the thread that started it; this is another one")
        return cls._only

    def call(
        self,
        entry: int,
        handle: int = 0,
        data: Union[bytes, int, None] = None,
        length: int = 0,
        doing: str = "predict",
    ) -> List[int]:
        """Call an entry; its ``out`` numbers. ``data`` is bytes, or an address the caller holds."""
        if self._freed:
            self._free()
        if self._entries[entry](handle, data, length, self._out_address):
            raise self._error(doing)
        result: List[int] = self._out.tolist()
        return result

    def send(self, entry: int, handle: int, items: Iterable[Any], doing: str) -> List[int]:
        """Call an entry with a packed list of texts, byte strings and None."""
        data = pack(items)
        return self.call(entry, handle, data, len(data), doing)

    def warm(self) -> None:
        """Compile what every structured request runs, once, before the first one waits for it."""
        if not self._warm:
            self.call(WARM)
            self._warm = True

    def forget(self, handle: int) -> None:
        """Free a handle at the next call. Callable from any thread, finalizers included."""
        self._freed.append(handle)

    def _free(self) -> None:
        handles = []
        while self._freed:
            handles.append(self._freed.popleft())
        block = np.array(handles, dtype=np.int64)
        self._entries[FREE](0, block.ctypes.data, block.nbytes, self._out_address)

    def _error(self, doing: str) -> errors.PolyhostError:
        self._entries[LAST_ERROR](0, None, 0, self._out_address)
        said = json.loads(ctypes.string_at(int(self._out[0]), int(self._out[1])))
        facts = {
            "language": LANGUAGE,
            "hook": doing,
            "native_type": said["type"],
            "native_message": said["message"],
            "native_traceback": said["traceback"],
            "location": said["location"],
        }
        if said["kind"] in _FAULTS:
            return _FAULTS[said["kind"]](said["message"], **facts)
        if said["kind"] == "InvalidOutput":
            return errors.InvalidOutput(said["message"], **facts)
        return errors.ModelError.in_hook(**facts)

    def _boot(self, depot: Path) -> List[int]:
        package = native.folder("julia")
        code = _BOOT.format(
            depot=installed.quoted(depot),
            package=installed.quoted(package),
            shims=installed.quoted(package / "src" / "shims"),
        )
        address = self._evaluate(code)
        if not address:
            start = self._evaluate("UInt64(pointer(POLYHOST_FAILURE))")
            size = self._evaluate("UInt64(sizeof(POLYHOST_FAILURE))")
            raise errors.RuntimeUnavailable(
                f"Julia {self.installation.version} cannot load the package in {package}: "
                + ctypes.string_at(start, size).decode("utf-8", "replace"),
                language=LANGUAGE,
            )
        raw = ctypes.string_at(address, 8 * (FIT + 1))
        table: List[int] = np.frombuffer(raw, dtype=np.uint64).tolist()
        return table

    def _evaluate(self, code: str) -> int:
        value = self._library.jl_eval_string(code.encode("utf-8"))
        return int(self._library.jl_unbox_uint64(value)) if value else 0


def _start(installation: installed.Installation) -> Any:
    try:
        from julia.libjulia import LibJulia
    except ImportError as error:
        raise errors.RuntimeUnavailable(
            f"Julia models cannot be served here: {error}. Needed: {installed.INSTALL_EXTRA}.",
            language=LANGUAGE,
        ) from error
    image = os.environ.get(installed.SYSTEM_IMAGE_VARIABLE)
    if image and not os.path.isfile(image):
        logger.warning("no system image at %s: starting Julia with its own", image)
    options = installed.options()
    before = signal.getsignal(signal.SIGINT)
    library = LibJulia(installation.libjulia, installation.bindir, installation.sysimage)
    library.init_julia(options)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    if threading.current_thread() is threading.main_thread() and before is not None:
        signal.signal(signal.SIGINT, before)  # Julia's own handler would swallow it
    return library


def pack(items: Iterable[Any]) -> bytes:
    """A count, then length and bytes of each text or byte string; length -1 is None."""
    parts: List[bytes] = []
    count = 0
    for item in items:
        count += 1
        if item is None:
            parts.append(_number(-1))
            continue
        raw = item.encode("utf-8", "replace") if isinstance(item, str) else bytes(item)
        parts += (_number(len(raw)), raw)
    return _number(count) + b"".join(parts)


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little", signed=True)
