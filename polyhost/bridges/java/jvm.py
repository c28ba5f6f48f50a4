"""The JVM of this process: started once, by the first model, and never stopped.

Its class path, heap and options are fixed then; models come and go by class loaders of their own.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import tempfile
from functools import lru_cache
from typing import Any, List, Mapping

import numpy as np

from polyhost.bridges.java import installation
from polyhost.bridges.java.jars import class_path
from polyhost.errors import RuntimeUnavailable, SettingsError

logger = logging.getLogger(__name__)

HEAP_VARIABLE = "DRUM_JAVA_XMX"
_HEAP = re.compile(r"\d+[kKmMgG]?")
_RUNTIME = "io.polyhost.Hooks"
_NATIVE_ACCESS_SINCE = 22
_OPTIONS = (
    "-Xrs",  # leaves SIGINT and SIGTERM to Python
    "-XX:-UsePerfData",  # a file in /tmp that a JVM which was killed leaves behind
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
    "-Dstdout.encoding=UTF-8",
    "-Dstderr.encoding=UTF-8",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
_CRASH_TO_STDERR_SINCE = 13


def start(options: Mapping[str, Any]) -> None:
    """Start the JVM unless it runs already. ``options`` may hold ``java_xmx``, the heap."""
    java = installation.find()
    import jpype
    import jpype.config

    if jpype.isJVMStarted():
        _check_runtime(jpype)
        return
    jars = [str(jar) for jar in class_path()]
    arguments = _arguments(java, options)
    logger.debug("starting %s with %s", java.library, " ".join(arguments))
    # A thread that the model left running must not keep this process from ending.
    jpype.config.destroy_jvm = False
    try:
        jpype.startJVM(str(java.library), *arguments, classpath=jars, convertStrings=False)
    except Exception as error:
        raise RuntimeUnavailable(
            f"the JVM at {java.library} did not start with {' '.join(arguments)}: {error}. "
            f"Check {HEAP_VARIABLE} and JAVA_TOOL_OPTIONS, and whether Java matches this machine.",
            language="java",
        ) from error
    atexit.register(_quiet)


def _quiet() -> None:
    """Java's collector must not call into an interpreter that is ending: it would abort."""
    java_class("org.jpype.ref.JPypeReferenceQueue").getInstance().stop()


def _arguments(java: installation.Java, options: Mapping[str, Any]) -> List[str]:
    arguments = list(_OPTIONS)
    if java.version >= _NATIVE_ACCESS_SINCE:
        arguments.append("--enable-native-access=ALL-UNNAMED")
    if java.version >= _CRASH_TO_STDERR_SINCE:
        # Otherwise a crash leaves a file in whatever folder the server was started in.
        arguments.append("-XX:+ErrorFileToStderr")
    else:
        arguments.append(f"-XX:ErrorFile={tempfile.gettempdir()}/hs_err_pid%p.log")
    heap = str(options.get("java_xmx") or os.environ.get(HEAP_VARIABLE, "")).strip()
    if heap:
        if not _HEAP.fullmatch(heap):
            raise SettingsError(
                f"wrong heap size {heap!r} in {HEAP_VARIABLE}: expected a number with k, m or g, "
                "such as 512m."
            )
        arguments.append(f"-Xmx{heap}")
    return arguments


def _check_runtime(jpype: Any) -> None:
    """Another one may have started the JVM; its class path cannot be changed any more."""
    try:
        jpype.JClass(_RUNTIME)
    except TypeError:
        raise RuntimeUnavailable(
            "the JVM of this process was started by someone else, without polyhost's jar: "
            "expected to start it ourselves, since its class path is fixed then. Load the model "
            "in a process of its own, or start that JVM with "
            f"{class_path()[0]} on its class path.",
            language="java",
        ) from None


@lru_cache(maxsize=None)
def java_class(name: str) -> Any:
    """A class of the JVM, looked up once."""
    import jpype

    return jpype.JClass(name)


def java_bytes(data: Any) -> Any:
    """A ``byte[]`` of these bytes."""
    import jpype

    return jpype.JArray(jpype.JByte)(np.frombuffer(data, dtype=np.int8))


def java_text(value: str) -> Any:
    """A ``java.lang.String``."""
    import jpype

    return jpype.JString(value)


def java_texts(values: List[str]) -> Any:
    """A ``String[]``."""
    import jpype

    return jpype.JArray(jpype.JString)(values)


def java_path(path: object) -> Any:
    """A ``java.nio.file.Path``."""
    return java_class("java.io.File")(str(path)).toPath()


def shared_buffer(array: np.ndarray) -> Any:
    """A direct buffer over the memory of a contiguous array.

    JPype keeps the array until Java collects the buffer, which may be never: share few arrays,
    for long, never one a call.
    """
    import jpype.nio

    return jpype.nio.convertToDirectBuffer(array.reshape(-1).view(np.int8))
