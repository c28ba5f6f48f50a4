"""The Java bridge: H2O models, scoring-code jars and Java hooks, in a JVM in this process.

Importing this starts nothing; :func:`open` starts the JVM, once for the life of the process.
"""

from __future__ import annotations

from polyhost.bridges.java.installation import doctor
from polyhost.predictor import Guest, ModelSpec

__all__ = ["doctor", "open"]


def open(spec: ModelSpec) -> Guest:
    """Start the JVM, bring the model's classes in and make its hooks; none has run yet."""
    from polyhost.bridges.java.guest import JavaGuest

    return JavaGuest(spec)
