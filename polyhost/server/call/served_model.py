"""What the routes of a model need of it: the host's own, or a front's view of it."""

from __future__ import annotations

from typing import Any, Optional, Protocol, Sequence

from polyhost.errors import NotTrained, PolyhostError
from polyhost.host.pool import State
from polyhost.host.request import Body, Pending, Waiter
from polyhost.predictor import ModelInfo
from polyhost.settings import ModelConfig


class Served(Protocol):
    """A model that requests are submitted to."""

    @property
    def name(self) -> str: ...

    @property
    def config(self) -> ModelConfig: ...

    @property
    def state(self) -> State: ...

    @property
    def reason(self) -> Optional[PolyhostError]: ...

    @property
    def info(self) -> Optional[ModelInfo]: ...

    @property
    def any_ready(self) -> bool: ...

    @property
    def parked(self) -> bool:
        """It was unloaded on request."""
        ...

    @property
    def workers(self) -> Sequence[Any]:
        """Processes, each with its ``pid``."""
        ...

    def submit(
        self, meta: bytes, body: Body, retry: bool, waiter: Optional[Waiter] = None
    ) -> Pending:
        """Accept a request: its waiter, by default the future of what is returned, gets the answer."""
        ...

    def cancel(self, pending: Pending) -> None:
        """The client has gone away."""
        ...


def can_answer(model: Served) -> bool:
    """Whether a request of the model would be answered now; a lazy one is loaded for it."""
    if model.state in (State.READY, State.DEGRADED):
        return model.any_ready
    if model.parked:
        return False
    return model.config.lazy and model.state is not State.FAILED


def is_up(model: Served) -> bool:
    """Whether a model is as it should be: it can answer, or it waits to be trained."""
    return can_answer(model) or isinstance(model.reason, NotTrained)
