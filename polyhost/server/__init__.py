"""The server: models over HTTP, by itself or as an application in another program."""

from __future__ import annotations

from typing import Any

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    """Import FastAPI and all that serves models only where an application is made."""
    if name == "create_app":
        from polyhost.server.create import create_app

        return create_app
    raise AttributeError(name)
