"""What :class:`RuntimeParameters` raises."""

from __future__ import annotations

from polyhost.code_dir.runtime_parameters import (
    InvalidJsonException,
    InvalidRuntimeParam,
    RuntimeParameterException,
)

__all__ = ["InvalidJsonException", "InvalidRuntimeParam", "RuntimeParameterException"]
