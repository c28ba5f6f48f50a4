"""See :mod:`polyhost.runtime_parameters`."""

from __future__ import annotations

from polyhost.runtime_parameters import RuntimeParameters

__all__ = ["RuntimeParameters"]
