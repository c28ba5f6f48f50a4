"""The R bridge: caret and other ``.rds`` models, and hooks in ``custom.R``.

R runs inside the worker, on its main thread, through rpy2's low-level interface. What is R's own
(finding and calling hooks, what a model needs, its predict) is in the package ``runtimes/r``.
Importing this starts nothing; :func:`open` does.
"""

from __future__ import annotations

from polyhost.bridges.r.guest import open_guest as open
from polyhost.bridges.r.guest import warm
from polyhost.bridges.r.install import doctor, environment

__all__ = ["doctor", "environment", "open", "warm"]
