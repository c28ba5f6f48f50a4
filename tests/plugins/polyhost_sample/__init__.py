"""What a package that extends polyhost looks like: a language, a model library, a protocol.

The language is a script: a model's artifact says how it loads, and each row what is to happen
(see bridge.py), so that a test of the host's behaviour needs no language's runtime.
"""

from __future__ import annotations

from pathlib import Path

from polyhost.bridges import Bridge

BRIDGE = Bridge(
    "fake",
    "polyhost_sample.bridge",
    artifacts=(".fake_model",),
    custom=("custom.fake",),
    requires="nothing",
    warm_parent=None,  # a fresh process that imports numpy only is ready sooner
    embeds=False,
    environment="polyhost_sample.environment:environment",
    templates=Path(__file__).with_name("templates"),
)
