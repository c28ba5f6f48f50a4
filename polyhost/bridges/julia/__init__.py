"""The Julia bridge: models in ``.jlso`` artifacts and ``custom.jl`` hooks, in this process.

Julia is embedded through pyjulia's ``LibJulia`` (no PyCall); everything it does for polyhost is in
the package under ``runtimes/julia``, entered through a table of C functions.
"""

from __future__ import annotations

from typing import List

from polyhost.bridges.doctor import Finding
from polyhost.bridges.julia.installation import findings, prepare
from polyhost.predictor import Guest, ModelSpec

__all__ = ["doctor", "open", "prepare"]


def open(spec: ModelSpec) -> Guest:
    """Start Julia on this thread and load the custom file; no hook has run."""
    from polyhost.bridges.julia.guest import JuliaGuest
    from polyhost.bridges.julia.runtime import Runtime

    return JuliaGuest(Runtime.started(), spec)


def doctor() -> List[Finding]:
    """What is here of what a Julia model needs."""
    return findings()
