"""Formats: one codec a file, each pure. The dialects share them."""

from __future__ import annotations
