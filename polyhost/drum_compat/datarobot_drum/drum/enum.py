"""Target types."""

from __future__ import annotations

from polyhost.data.target import TargetType

__all__ = ["TargetType"]
