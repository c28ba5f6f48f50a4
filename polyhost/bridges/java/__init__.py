"""The Java bridge: H2O models, scoring code, hooks and predictor classes, in this process's JVM.

Importing this starts nothing; :func:`open` starts the JVM, once for the life of the process.
"""

from __future__ import annotations

from polyhost.bridges.java.installation import doctor
from polyhost.predictor import Guest, ModelSpec

__all__ = ["doctor", "open"]


def open(spec: ModelSpec) -> Guest:
    """Start the JVM, bring the model's classes in and make its hooks; none has run yet."""
    from polyhost.bridges.java import predictor_class

    name = predictor_class.class_name()
    if name is not None:
        return predictor_class.PredictorClassGuest(spec, name)
    from polyhost.bridges.java.guest import JavaGuest

    return JavaGuest(spec)
