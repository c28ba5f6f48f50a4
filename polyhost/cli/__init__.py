"""The command line: ``polyhost score | server | serve | doctor``, one module a command."""

from __future__ import annotations

from polyhost.cli.main import main

__all__ = ["main"]
