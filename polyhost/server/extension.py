"""A code dir's own addition to the server: ``custom_flask.py`` or ``custom_fastapi.py``.

It is guest code, run in this process, and only by ``polyhost server``, which has one model. Its
``init_app(app)`` gets an app of its framework, which then stands before ours:

- Flask: every request goes through a Flask app that knows our routes by the names that DRUM gives
  them (``model_api.ping``). What its before-request functions answer is the answer; otherwise ours
  is, with the headers that its after-request functions set.
- FastAPI: its middleware sees every request, its routes win over ours.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path
from typing import Any, List, Optional

from polyhost.errors import CodeDirError, LoadError, RuntimeUnavailable
from polyhost.server.dialects.answers import common_headers
from polyhost.server.http.asgi import Header, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

FLASK = "custom_flask.py"
FASTAPI = "custom_fastapi.py"


def extended(app: Any, code_dir: Path, prefix: str) -> Any:
    """The server's app with what the code dir adds to it; itself when that adds nothing."""
    flask = _the_file(code_dir, FLASK)
    fastapi = _the_file(code_dir, FASTAPI)
    if flask is not None and fastapi is not None:
        raise CodeDirError(
            f"two extensions of the server in {code_dir}: expected {FLASK} or {FASTAPI}; found "
            "both. Keep one."
        )
    if flask is not None:
        return Signed(_behind_flask(app, flask, prefix))
    if fastapi is not None:
        return Signed(_behind_fastapi(app, fastapi))
    return app


def _the_file(code_dir: Path, name: str) -> Optional[Path]:
    found = sorted(path for path in code_dir.rglob(name) if path.is_file())
    if len(found) > 1:
        places = ", ".join(str(path.relative_to(code_dir)) for path in found)
        raise CodeDirError(
            f"several {name} in {code_dir}: expected one; found {places}. Keep one.", found=places
        )
    return found[0] if found else None


def _behind_flask(app: Any, file: Path, prefix: str) -> Any:
    try:
        from polyhost.server.extension_flask import FlaskFirst
    except ModuleNotFoundError as error:
        if error.name not in ("flask", "werkzeug"):
            raise
        raise RuntimeUnavailable(
            f"{file.name} needs Flask, which is not installed. "
            "Install it with: pip install 'polyhost[flask]'"
        ) from error
    found = FlaskFirst(app, prefix)
    _init_app(file, found.flask)
    return found


def _behind_fastapi(app: Any, file: Path) -> Any:
    from fastapi import FastAPI

    own = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    _init_app(file, own)
    own.mount("/", app)
    return own


def _init_app(file: Path, app: Any) -> None:
    """Import the file and call its ``init_app``; LoadError for whatever goes wrong in there."""
    name = file.stem
    sys.path.insert(0, str(file.parent))
    try:
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise LoadError(f"{file} is no Python file that can be imported.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        init_app = getattr(module, "init_app", None)
        if not callable(init_app):
            raise LoadError(f"{file} has no init_app: expected a function init_app(app).")
        init_app(app)
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(
            f"{file.name} failed: {type(error).__name__}: {error}. Fix it, or install what it "
            "imports."
        ) from error
    logger.info("%s extends the server", file.name)


class Signed:
    """Puts the headers of every response on those that an extension answers by itself."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def signing(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: List[Header] = list(message.get("headers", ()))
                known = {name.lower() for name, _ in headers}
                missing = [pair for pair in common_headers(scope) if pair[0] not in known]
                message = {**message, "headers": [*headers, *missing]}
            await send(message)

        if scope["type"] == "http":
            await self._app(scope, receive, signing)
        else:
            await self._app(scope, receive, send)
