"""Metric families as text: Prometheus 0.0.4, or OpenMetrics for those who accept it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Tuple

Labels = Tuple[Tuple[str, str], ...]

PROMETHEUS = b"text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = b"application/openmetrics-text; version=1.0.0; charset=utf-8"

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass
class Family:
    """One metric with its samples.

    ``name`` has no ``_total``: the writer adds it to counters. ``kind``: ``counter``, ``gauge`` or
    ``histogram``. ``samples`` are values by suffix (``_bucket``, ``_sum``, ``_count`` or empty)
    and labels, in the order in which they are written.
    """

    name: str
    kind: str
    help: str
    samples: Dict[Tuple[str, Labels], float] = field(default_factory=dict)

    def add(self, value: float, suffix: str = "", **labels: str) -> None:
        """Add to the sample of these labels."""
        key = suffix, tuple(labels.items())
        self.samples[key] = self.samples.get(key, 0) + value

    def add_histogram(
        self, bounds: Iterable[float], counts: Iterable[int], total: float, **labels: str
    ) -> None:
        """Add one histogram: counts by bucket, the last one past all bounds."""
        count = 0
        for bound, held in zip((*bounds, float("inf")), counts):
            count += held
            self.add(count, "_bucket", **labels, le=_bound(bound))
        self.add(count, "_count", **labels)
        self.add(total, "_sum", **labels)


def merge(parts: Iterable[Iterable[Family]]) -> List[Family]:
    """The families of several processes as one: equal samples are added up."""
    found: Dict[str, Family] = {}
    for part in parts:
        for family in part:
            whole = found.setdefault(family.name, Family(family.name, family.kind, family.help))
            for key, value in family.samples.items():
                whole.samples[key] = whole.samples.get(key, 0) + value
    return list(found.values())


def families_to_wire(families: Iterable[Family]) -> List[Any]:
    """Families as plain data, for another process."""
    return [
        [
            family.name,
            family.kind,
            family.help,
            [[suffix, labels, value] for (suffix, labels), value in family.samples.items()],
        ]
        for family in families
    ]


def families_from_wire(wire: Iterable[Any]) -> List[Family]:
    """What :func:`families_to_wire` wrote."""
    found = []
    for name, kind, text, samples in wire:
        family = Family(name, kind, text)
        for suffix, labels, value in samples:
            family.samples[suffix, tuple((key, label) for key, label in labels)] = value
        found.append(family)
    return found


def accepts_openmetrics(accept: str) -> bool:
    """The client's Accept header names OpenMetrics."""
    return "application/openmetrics-text" in accept


def render(families: Iterable[Family], *, openmetrics: bool = False) -> bytes:
    """The whole text."""
    lines: List[str] = []
    for family in families:
        total = "_total" if family.kind == "counter" else ""
        declared = family.name if openmetrics else family.name + total
        lines.append(f"# HELP {declared} {family.help}")
        lines.append(f"# TYPE {declared} {family.kind}")
        for (suffix, labels), value in family.samples.items():
            lines.append(f"{family.name}{suffix or total}{_labels(labels)} {_number(value)}")
    if openmetrics:
        lines.append("# EOF")
    return ("\n".join(lines) + "\n").encode()


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{text.translate(_ESCAPES)}"' for name, text in labels) + "}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(float(bound))
