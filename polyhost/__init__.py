"""polyhost: serve a model written in Python, Java, R or Julia from the folder it was left in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyhost.embed.model import load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """``load`` is imported when it is first asked for: it brings numpy and more."""
    if name == "load":
        from polyhost.embed.model import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
