"""What supervisor and fronts send each other about models: configurations, and what has changed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from polyhost.errors import PolyhostError, to_wire
from polyhost.host.model_slot import ModelSlot
from polyhost.host.pool import Pool, State
from polyhost.predictor import ModelInfo
from polyhost.server.fronts.channel import Message
from polyhost.settings import Batching, Limits, ModelConfig
from polyhost.wire.messages import info_to_wire, spec_from_wire, spec_to_wire


def config_to_wire(hosted: ModelConfig) -> Dict[str, Any]:
    """What a front needs to know of a model's configuration."""
    return {
        "name": hosted.name,
        "spec": spec_to_wire(hosted.spec),
        "limits": asdict(hosted.limits),
        "batching": asdict(hosted.batching),
        "workers": hosted.workers,
        "version": hosted.version,
        "lazy": hosted.lazy,
        "annotations": dict(hosted.annotations),
    }


def config_from_wire(wire: Mapping[str, Any]) -> ModelConfig:
    """The configuration that a supervisor described."""
    return ModelConfig(
        wire["name"],
        spec_from_wire(wire["spec"]),
        workers=wire["workers"],
        limits=Limits(**wire["limits"]),
        batching=Batching(**wire["batching"]),
        version=wire["version"],
        lazy=wire["lazy"],
        annotations=wire["annotations"],
    )


@dataclass(frozen=True)
class _Seen:
    """A model as it was last sent to fronts. The objects themselves: a change makes others."""

    config: ModelConfig
    info: Optional[ModelInfo]
    state: State
    reason: Optional[PolyhostError]
    pool: Optional[Pool]

    def changes(self, before: Optional[_Seen], number_of: Mapping[int, int]) -> Message:
        """The parts that differ from what they were before, as a message holds them."""
        parts: Message = {}
        if before is None or self.config is not before.config:
            parts["config"] = config_to_wire(self.config)
        if before is None or self.info is not before.info:
            parts["info"] = None if self.info is None else info_to_wire(self.info)
        if before is None or self.state is not before.state:
            parts["state"] = self.state.value
        if before is None or self.reason is not before.reason:
            parts["reason"] = None if self.reason is None else to_wire(self.reason)
        if before is None or self.pool is not before.pool:
            parts["pool"] = 0 if self.pool is None else number_of.get(id(self.pool), 0)
        return parts


class ModelChanges:
    """What changes of a host's models, each under a number that no other model ever gets.

    ``numbers``: those of the pools, by their identity.
    """

    def __init__(self, numbers: Mapping[int, int]) -> None:
        self._pool_numbers = numbers
        self._seen: Dict[int, Tuple[ModelSlot, _Seen]] = {}
        self._numbers: Dict[str, int] = {}
        self._last = 0

    def changes(self, models: Mapping[str, ModelSlot]) -> List[Message]:
        """Messages on what is other than at the last call; none where nothing is."""
        found: List[Message] = []
        for name, number in list(self._numbers.items()):
            if models.get(name) is not self._seen[number][0]:
                del self._numbers[name], self._seen[number]
                found.append({"what": "gone", "number": number})
        for name, model in models.items():
            if name not in self._numbers:
                self._last += 1
                self._numbers[name] = self._last
            found.extend(self._of(self._numbers[name], model))
        return found

    def _of(self, number: int, model: ModelSlot) -> Iterator[Message]:
        before = self._seen[number][1] if number in self._seen else None
        now = _Seen(model.config, model.info, model.state, model.reason, model.active_pool)
        if before is not None and _same(before, now):
            return
        self._seen[number] = model, now
        yield {"what": "model", "number": number, **now.changes(before, self._pool_numbers)}

    def everything(self) -> List[Message]:
        """What a new front has to know: all models as the last call of :meth:`changes` saw them."""
        return [
            {"what": "model", "number": number, **seen.changes(None, self._pool_numbers)}
            for number, (_, seen) in self._seen.items()
        ]


def _same(one: _Seen, other: _Seen) -> bool:
    return (
        one.config is other.config
        and one.info is other.info
        and one.state is other.state
        and one.reason is other.reason
        and one.pool is other.pool
    )
