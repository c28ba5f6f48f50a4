"""polyhost: serve a model written in Python, Java, R or Julia from the folder it was left in."""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]
