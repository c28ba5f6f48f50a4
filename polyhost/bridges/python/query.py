"""The query of an unstructured request, as its hook gets it."""

from __future__ import annotations

from typing import Dict, List

from polyhost.data.payload import Payload


class Query(Dict[str, str]):
    """Values by key. Of a repeated key the first counts; ``getlist`` gives all of them."""

    def __init__(self, values: Dict[str, List[str]], last: bool) -> None:
        super().__init__((key, found[-1 if last else 0]) for key, found in values.items())
        self._all = values

    @classmethod
    def of(cls, payload: Payload) -> Query:
        """The query of a request; in batch mode (no headers) the last of a repeated key counts."""
        values: Dict[str, List[str]] = {}
        for key, value in payload.query:
            values.setdefault(key, []).append(value)
        return cls(values, last=payload.headers is None)

    def getlist(self, key: str) -> List[str]:
        """Every value of a key, in order."""
        return list(self._all.get(key, ()))
