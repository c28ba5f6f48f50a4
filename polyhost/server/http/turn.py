"""One request on a connection, in its turn; and the turn of one that is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from polyhost.server.http.heads import Fault

if TYPE_CHECKING:
    from polyhost.server.http.connection import Connection


class Turn(Protocol):
    """One request on a connection, from its head to its answer."""

    keep_alive: bool
    more_body: bool
    """The body is not complete yet."""
    answering: bool
    """A part of the answer has been written."""
    complete: bool
    """The answer has been written."""

    def begin(self) -> None:
        """Answers to all earlier requests are written: this one may be answered."""
        ...

    def add(self, data: bytes, /) -> object:
        """A piece of the body."""
        ...

    def end(self) -> None:
        """The body is complete."""
        ...

    def leave(self) -> None:
        """The client has gone away."""
        ...


class Refusal:
    """The turn of a request that is not served: one answer, and the end of the connection."""

    keep_alive = False
    more_body = False

    def __init__(self, connection: Connection, fault: Fault) -> None:
        self._connection = connection
        self._fault = fault
        self.answering = self.complete = False

    def begin(self) -> None:
        self.answering = self.complete = True
        self._connection.refuse(*self._fault)

    def add(self, data: bytes) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""

    def leave(self) -> None:
        """Nothing."""
