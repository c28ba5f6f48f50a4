"""An inference request and its answer, whatever form they travel in."""

from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

Values = Union[np.ndarray, Sequence[Any]]
"""The elements of a tensor, row by row: a flat array, or a list, which JSON may nest."""
Parameters = Mapping[str, Any]
NONE: Parameters = {}


class Tensor(NamedTuple):
    """A named array. ``values`` are as they came: nothing is checked yet but their framing."""

    name: str
    datatype: str
    shape: Tuple[int, ...]
    values: Values
    parameters: Parameters = NONE

    @property
    def content_type(self) -> str:
        """How MLServer's clients say what the elements are."""
        return _content_type(self.parameters)


class Wanted(NamedTuple):
    """An output that a client asks for by name; ``binary`` None follows the request."""

    name: str
    binary: Optional[bool] = None


class InferRequest(NamedTuple):
    """A request. ``raw``: answers in the binary form are wanted where an output does not say."""

    inputs: Sequence[Tensor]
    outputs: Sequence[Wanted] = ()
    id: str = ""
    parameters: Parameters = NONE
    raw: bool = False

    @property
    def content_type(self) -> str:
        """How MLServer's clients say what the whole request is: ``pd``, ``np``, ``str``."""
        return _content_type(self.parameters)


def _content_type(parameters: Parameters) -> str:
    if not parameters:
        return ""
    found = parameters.get("content_type", "")
    return found if isinstance(found, str) else ""


class Made:
    """A tensor of all rows of a call; ``values`` is an array whose first axis is the rows.

    Of the datatype BYTES it holds ``str``, ``bytes`` or None.
    """

    __slots__ = ("name", "datatype", "values", "parameters", "_flat", "_width")

    def __init__(
        self, name: str, datatype: str, values: np.ndarray, parameters: Parameters = NONE
    ) -> None:
        self.name = name
        self.datatype = datatype
        self.values = values
        self.parameters = parameters
        self._flat: Optional[List[Any]] = None
        self._width = values.size // len(values) if len(values) else 0

    def flat(self, start: int, stop: int) -> List[Any]:
        """The elements of some rows as Python's own, one after another."""
        if self._flat is None:
            self._flat = self.values.ravel().tolist()
        return self._flat[start * self._width : stop * self._width]


class Output(NamedTuple):
    """A tensor of an answer: some rows of one that was made for all of a call."""

    made: Made
    start: int
    stop: int

    @property
    def name(self) -> str:
        return self.made.name

    @property
    def values(self) -> np.ndarray:
        """Its elements as an array."""
        return self.made.values[self.start : self.stop]

    @property
    def shape(self) -> List[int]:
        """Its number of rows, and the sizes of a row."""
        return [self.stop - self.start, *self.made.values.shape[1:]]
