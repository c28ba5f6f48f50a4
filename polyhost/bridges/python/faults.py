"""Exceptions of guest code, as errors that keep their own type, message and traceback."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Optional

from polyhost.errors import GuestStatus, ModelError


def as_model_error(error: BaseException, language: str, hook: str, code_dir: Path) -> ModelError:
    """The error of a hook; GuestStatus when it asked for an HTTP status of its own."""
    found = facts(error, hook, code_dir)
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and _is_status_error(error):
        return GuestStatus(_message(error), status=status, language=language, **found)
    return ModelError.in_hook(language=language, **found)


def facts(error: BaseException, hook: str, code_dir: Path) -> Dict[str, Any]:
    """What is reported of an exception: its type, message, traceback and place."""
    frames = _guest_frames(error.__traceback__)
    lines = traceback.format_list(frames)
    lines += traceback.format_exception_only(type(error), error)
    return {
        "hook": hook,
        "native_type": type(error).__name__,
        "native_message": _message(error),
        "native_traceback": "".join(["Traceback (most recent call last):\n", *lines]),
        "location": _location(error, frames, code_dir),
    }


def _is_status_error(error: BaseException) -> bool:
    return any(kind.__name__ == "CustomHTTPError" for kind in type(error).__mro__)


def _message(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    try:
        return str(error)
    except Exception:  # the guest's own __str__
        return "(its message cannot be read)"


def _guest_frames(trace: Optional[TracebackType]) -> List[traceback.FrameSummary]:
    """The frames below ours."""
    here = str(Path(__file__).parent)
    frames = list(traceback.extract_tb(trace))
    while frames and (frames[0].filename.startswith(here) or "<frozen" in frames[0].filename):
        frames.pop(0)
    return frames


def _location(
    error: BaseException, frames: List[traceback.FrameSummary], code_dir: Path
) -> Optional[str]:
    """The deepest line of the author's own code, else the deepest line there is."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    own = [frame for frame in frames if frame.filename.startswith(str(code_dir))]
    for frame in reversed(own or frames):
        return f"{Path(frame.filename).name}:{frame.lineno}"
    return None
