"""What R says of a loaded model, as plain values."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from polyhost.bridges.r.api import Api, Sexp
from polyhost.bridges.r.engine import RObject
from polyhost.predictor import ColumnInfo


class Facts:
    """The named list that the R function ``describe_model`` returned."""

    def __init__(self, api: Api, described: RObject) -> None:
        self._api = api
        self._held = described  # R's memory lives as long as this
        names = api.to_strings(api.attribute_of(described.sexp, api.NAMES))
        self._places: Dict[str, int] = {name: i for i, name in enumerate(names)}

    def text(self, name: str) -> Optional[str]:
        """A single text; None when there is none."""
        found = self.texts(name)
        return found[0] if found else None

    def texts(self, name: str) -> List[str]:
        return self._api.to_strings(self._element(name))

    def flag(self, name: str) -> bool:
        return self.flags(name)[0]

    def flags(self, name: str) -> List[bool]:
        return [bool(flag) for flag in self._api.to_logicals(self._element(name)).tolist()]

    def columns(self) -> Tuple[ColumnInfo, ...]:
        """One record for each column that the model expects, in its order."""
        api = self._api
        levels = self._element("levels")
        known = [tuple(api.to_strings(api.get(levels, i))) for i in range(api.length(levels))]
        return tuple(
            ColumnInfo(name, kind, levels=texts, ordered=ordered, unknown=unknown)
            for name, kind, texts, ordered, unknown in zip(
                self.texts("names"),
                self.texts("kinds"),
                known,
                self.flags("ordered"),
                self.texts("unknown"),
            )
        )

    def _element(self, name: str) -> Sexp:
        return self._api.get(self._held.sexp, self._places[name])
