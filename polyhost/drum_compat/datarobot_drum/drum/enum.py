"""Target types."""

from __future__ import annotations

from polyhost.target import TargetType

__all__ = ["TargetType"]
