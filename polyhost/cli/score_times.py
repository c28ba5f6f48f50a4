"""``--show-perf``: how long the steps of ``polyhost score`` took, as DRUM prints it."""

from __future__ import annotations


def print_times(started: float, loaded: float, scored: float) -> None:
    """Print the seconds of the whole, of loading, and of the run."""
    for what, seconds in (
        ("full time", scored - started),
        ("initialisation, model load included", loaded - started),
        ("run, reading the input included", scored - loaded),
    ):
        print(f"{what}: min {seconds:.3f} s, avg {seconds:.3f} s, max {seconds:.3f} s")
