"""What a server counts. The hot path adds to plain numbers; a scrape turns them into families.

Names and labels are those of the servers that dashboards exist for, where they have one: MLServer's
``model_infer_request_*``, KServe's ``request_predict_seconds``. Every protocol is counted, health
and metrics requests are not. A label never holds what a client wrote.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from polyhost.host.observers import RequestRecord
from polyhost.settings import ModelConfig
from polyhost.wire.worker_counters import add_bounded, counts_from_report

SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
VERSIONS_KEPT = 8
"""Versions of a model that are kept apart; of older ones only the model's sums remain."""

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)


class Histogram:
    """Counts by bucket; the bounds belong to the buckets below them."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def absorb(self, other: Histogram) -> None:
        """Add what another one counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts)]
        self.total += other.total

    def take(self) -> List[Any]:
        """What was counted since the last call, as plain data; it is counted here no more."""
        found = [self.counts, self.total]
        self.counts, self.total = [0] * len(self.counts), 0.0
        return found

    def add_wire(self, wire: Sequence[Any]) -> None:
        """Add what another process took."""
        counts, total = wire
        self.counts = [mine + int(theirs) for mine, theirs in zip(self.counts, counts)]
        self.total += total


class RouteMeter:
    """Requests of one model over one protocol."""

    __slots__ = ("codes", "seconds")

    def __init__(self) -> None:
        self.codes: Dict[int, int] = {}
        self.seconds = Histogram(SECONDS)

    def add(self, code: int, seconds: float) -> None:
        """Count an answer."""
        self.codes[code] = self.codes.get(code, 0) + 1
        self.seconds.observe(seconds)

    def take(self) -> Dict[str, Any]:
        """As :meth:`Histogram.take`."""
        codes = dict(self.codes)
        self.codes.clear()
        return {"codes": codes, "seconds": self.seconds.take()}

    def add_wire(self, wire: Mapping[str, Any]) -> None:
        """As :meth:`Histogram.add_wire`."""
        for code, count in wire["codes"].items():
            self.codes[int(code)] = self.codes.get(int(code), 0) + int(count)
        self.seconds.add_wire(wire["seconds"])


class ModelMeter:
    """One version of a model; what its pool reports and its routes count."""

    def __init__(self, name: str, version: str, *, marks_output: bool) -> None:
        self.name = name
        self.version = version
        self.marks_output = marks_output
        self.predict = Histogram(SECONDS)
        self.batches = Histogram(BATCHES)
        self.rows = 0
        self.named: Dict[Tuple[str, Tuple[str, ...]], int] = {}
        """Counters of the workers, by name and labels."""
        self.routes: Dict[str, RouteMeter] = {}

    def route(self, protocol: str) -> RouteMeter:
        """The meter of one protocol."""
        return self.routes.setdefault(protocol, RouteMeter())

    def served(self, exchange: Optional[RequestRecord], waited: float, ran: float) -> None:
        """A worker is done with a request."""
        self.predict.observe(ran)
        if exchange is not None:
            exchange.waited = waited
            exchange.ran = ran

    def counted(self, report: Mapping[str, Any]) -> None:
        """Add a worker's report."""
        self.rows += int(report.get("rows", 0))
        for size, times in report.get("batches", {}).items():
            self.batches.observe(int(size), int(times))
        for name, labels, value in counts_from_report(report):
            add_bounded(self.named, name, labels, value)

    @property
    def idle(self) -> bool:
        """Nothing was counted since the last :meth:`take`."""
        return not any(self.predict.counts) and not any(r.codes for r in self.routes.values())

    def take(self) -> Dict[str, Any]:
        """What a front counts of a model, as :meth:`Histogram.take`; workers report elsewhere."""
        routes = {protocol: route.take() for protocol, route in self.routes.items() if route.codes}
        key = {"name": self.name, "version": self.version}
        return {**key, "predict": self.predict.take(), "routes": routes}

    def add_wire(self, wire: Mapping[str, Any]) -> None:
        """As :meth:`Histogram.add_wire`."""
        self.predict.add_wire(wire["predict"])
        for protocol, route in wire["routes"].items():
            self.route(protocol).add_wire(route)

    def absorb(self, other: ModelMeter) -> None:
        """Add what another version counted."""
        self.predict.absorb(other.predict)
        self.batches.absorb(other.batches)
        self.rows += other.rows
        for (name, labels), value in other.named.items():
            add_bounded(self.named, name, labels, value)
        for protocol, route in other.routes.items():
            mine = self.route(protocol)
            mine.seconds.absorb(route.seconds)
            for code, count in route.codes.items():
                mine.codes[code] = mine.codes.get(code, 0) + count


class Metrics:
    """Every meter of this process. A model that comes back finds its own again."""

    def __init__(self, *, marks_output: bool = False) -> None:
        self._marks_output = marks_output
        self._models: Dict[Tuple[str, str], ModelMeter] = {}
        self._older: Dict[str, ModelMeter] = {}

    def of(self, model: ModelConfig) -> ModelMeter:
        """The meter of a model's version."""
        return self._of(model.name, model.version)

    def _of(self, name: str, version: str) -> ModelMeter:
        key = name, version
        if key not in self._models:
            self._models[key] = self._made(name, version)
            self._fold(name)
        return self._models[key]

    def _made(self, name: str, version: str) -> ModelMeter:
        return ModelMeter(name, version, marks_output=self._marks_output)

    def _fold(self, name: str) -> None:
        """Keep the labels of a server that runs for months from growing with each version."""
        versions = [key for key in self._models if key[0] == name]
        for key in versions[:-VERSIONS_KEPT]:
            self._older_of(name).absorb(self._models.pop(key))

    def take_wire(self) -> List[Any]:
        """What was counted since the last call, for another process, and here no more."""
        meters = (*self._models.values(), *self._older.values())
        return [meter.take() for meter in meters if not meter.idle]

    def add_wire(self, wire: Iterable[Mapping[str, Any]]) -> None:
        """Add what another process took."""
        for part in wire:
            name, version = part["name"], part["version"]
            meter = self._of(name, version) if version else self._older_of(name)
            meter.add_wire(part)

    def _older_of(self, name: str) -> ModelMeter:
        """What versions of a model counted that are kept apart no more; its version is empty."""
        if name not in self._older:
            self._older[name] = self._made(name, "")
        return self._older[name]

    def by_version(self) -> List[ModelMeter]:
        """The versions of each model that are kept apart."""
        return list(self._models.values())

    def by_model(self) -> List[ModelMeter]:
        """The sums of each model's versions, old ones among them."""
        found: Dict[str, ModelMeter] = {}
        for meter in (*self._models.values(), *self._older.values()):
            found.setdefault(meter.name, self._made(meter.name, "")).absorb(meter)
        return list(found.values())
