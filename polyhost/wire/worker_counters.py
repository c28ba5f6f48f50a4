"""Counters that a worker may report, each with its labels. A new one needs a row here."""

from __future__ import annotations

from typing import Dict, Iterator, Mapping, NamedTuple, Tuple

from polyhost.wire.frames import ProtocolError

MOST_SERIES = 500
"""Different labels of a model's counters that are kept apart, in a worker and in the host."""

LONGEST_LABEL = 200
"""Characters of a label's value that are kept."""

OTHER = "other"
"""Every label of the series that counts what came past the limit."""


class Counter(NamedTuple):
    """A counter's help text, and the names of its labels beside ``model``."""

    help: str
    labels: Tuple[str, ...]


COUNTERS: Mapping[str, Counter] = {
    "unknown_levels": Counter("Cells whose level the model was not trained with.", ("column",)),
    "nonfinite_predictions": Counter(
        "Predictions that JSON cannot hold, sent as null.", ("column", "what")
    ),
}


def counts_from_report(report: Mapping[str, object]) -> Iterator[Tuple[str, Tuple[str, ...], int]]:
    """Name, labels and value of every counter in a METRIC frame; unknown names are left out."""
    counts = report.get("counts", [])
    if not isinstance(counts, list):
        raise ProtocolError("the counts of a METRIC frame are not a list")
    for entry in counts:
        try:
            name, labels, value = entry
            known = COUNTERS.get(name)
            texts = tuple(str(label)[:LONGEST_LABEL] for label in labels)
            number = int(value)
        except (TypeError, ValueError):
            raise ProtocolError(f"not a count in a METRIC frame: {entry!r:.200}") from None
        if known is not None and len(texts) == len(known.labels) and number > 0:
            yield name, texts, number


def add_bounded(
    into: Dict[Tuple[str, Tuple[str, ...]], int], name: str, labels: Tuple[str, ...], value: int
) -> None:
    """Add to a series; to the one of all others when there are too many."""
    key = name, labels
    if key not in into and len(into) >= MOST_SERIES:
        key = name, (OTHER,) * len(labels)
    into[key] = into.get(key, 0) + value
