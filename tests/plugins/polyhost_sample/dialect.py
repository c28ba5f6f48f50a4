"""A client protocol: a body of numbers, one a line, is the column ``a``; the answer has its form."""

from __future__ import annotations

from polyhost.plugins import AddedRoute, Dialect

DIALECT = Dialect(
    "lines", "polyhost_sample.codec", (AddedRoute("/lines", "predict", "Predict numbers"),)
)
