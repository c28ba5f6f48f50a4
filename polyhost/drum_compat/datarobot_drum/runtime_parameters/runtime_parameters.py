"""See :mod:`polyhost.code_dir.runtime_parameters`."""

from __future__ import annotations

from polyhost.code_dir.runtime_parameters import RuntimeParameters

__all__ = ["RuntimeParameters"]
