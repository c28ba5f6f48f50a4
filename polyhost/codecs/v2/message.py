"""An inference request and its answer, whatever form they travel in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

Values = Union[np.ndarray, Sequence[Any]]
"""The elements of a tensor, row by row: a flat array, or a list, which JSON may nest."""


@dataclass(frozen=True)
class Tensor:
    """A named array. ``values`` are as they came: nothing is checked yet but their framing."""

    name: str
    datatype: str
    shape: Tuple[int, ...]
    values: Values
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        """How MLServer's clients say what the elements are."""
        found = self.parameters.get("content_type", "")
        return found if isinstance(found, str) else ""


@dataclass(frozen=True)
class Wanted:
    """An output that a client asks for by name; ``binary`` None follows the request."""

    name: str
    binary: Optional[bool] = None


@dataclass(frozen=True)
class InferRequest:
    """A request. ``raw``: answers in the binary form are wanted where an output does not say."""

    inputs: Sequence[Tensor]
    outputs: Sequence[Wanted] = ()
    id: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    raw: bool = False

    @property
    def content_type(self) -> str:
        """How MLServer's clients say what the whole request is: ``pd``, ``np``, ``str``."""
        found = self.parameters.get("content_type", "")
        return found if isinstance(found, str) else ""


@dataclass(frozen=True)
class Output:
    """A tensor of an answer; ``values`` is an array whose first axis is the rows.

    Of the datatype BYTES it holds ``str``, ``bytes`` or None.
    """

    name: str
    datatype: str
    values: np.ndarray
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, start: int, stop: int) -> Output:
        """The same of some rows."""
        return Output(self.name, self.datatype, self.values[start:stop], self.parameters)
