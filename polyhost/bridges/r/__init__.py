"""The R bridge: caret and other ``.rds`` models, and hooks in ``custom.R``.

R runs inside the worker, on its main thread, through rpy2's low-level interface. What is R's own
(finding and calling hooks, what a model needs, its predict) is in the package ``runtimes/r``.
Importing this starts nothing; :func:`open` does.
"""

from __future__ import annotations

from polyhost.bridges.r.install import doctor, environment
from polyhost.predictor import Guest, ModelSpec

__all__ = ["doctor", "environment", "open", "warm"]


def open(spec: ModelSpec) -> Guest:
    """Start R on this thread and load the custom file; no hook has run."""
    from polyhost.bridges.r.guest import open_guest

    return open_guest(spec)


def warm() -> None:
    """Load R and what most models need, in a parent that workers are then forked from."""
    from polyhost.bridges.r import guest

    guest.warm()
