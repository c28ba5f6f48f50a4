"""The models of one language behind a server's routes, loaded in one process of that language.

A JVM or a Julia cannot be forked: a server starts one for each model, which takes seconds. Here the
real routes, codecs and bridge answer; what lies between them, and is the same for every language, is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import httpx
from support.direct_model import DirectModel, get, post
from support.fake_model import FakeHost
from support.guest_process import GuestProcess, RemoteModel

from polyhost.code_dir.spec import spec_of
from polyhost.codecs import Answer, Request
from polyhost.host.launcher import bridge_environment
from polyhost.predictor import ModelSpec
from polyhost.server.app import build
from polyhost.settings import ServerSettings, TargetSettings


class RemoteDirectModel(DirectModel):
    """A model that was loaded in a process of its language."""

    def __init__(self, name: str, remote: RemoteModel, spec: ModelSpec) -> None:
        super().__init__(name, cast(Any, remote), spec)

    def answer(self, request: Request, body: bytes) -> Answer:
        return cast(RemoteModel, self.predictor).answer(request, body)


class DirectHost:
    """``folder_of``: the code dir of a model, by its name; a model is loaded by its first request."""

    def __init__(self, language: str, folder: Path, folder_of: Callable[[str], Path]) -> None:
        self.process = GuestProcess(folder, **bridge_environment(language))
        self._language = language
        self._folder_of = folder_of
        self._host = FakeHost()
        self._app = build(cast(Any, self._host), ServerSettings())

    def load(self, code_dir: Path, *, infer: bool = False) -> RemoteModel:
        """A model as ``serve`` loads it."""
        return self.process.load(self._spec(code_dir, infer))

    def post(self, path: str, body: bytes | str, content_type: str = "text/csv") -> httpx.Response:
        """One request to a path that holds ``/models/NAME``."""
        self._ensure(path)
        return post(self._app, path, body, content_type=content_type)

    def get(self, path: str) -> httpx.Response:
        """The same without a body."""
        self._ensure(path)
        return get(self._app, path)

    def _ensure(self, path: str) -> None:
        name = re.split(r"[/:]", path.partition("/models/")[2])[0]
        if name not in self._host.models:
            spec = self._spec(self._folder_of(name))
            self._host.models[name] = RemoteDirectModel(name, self.process.load(spec), spec)
            for refresh in self._host.on_change:
                refresh()

    def _spec(self, code_dir: Path, infer: bool = False) -> ModelSpec:
        options: Mapping[str, Any] = {"strict_rows": True}
        return spec_of(
            code_dir, TargetSettings(), language=self._language, options=options, infer=infer
        )

    def close(self) -> None:
        self.process.close()
