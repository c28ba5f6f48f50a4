"""Tests of engines in environments of their own: ``make test-ray`` and ``make test-spark``.

Elsewhere the engine is not installed, and its tests are not collected.
"""

from __future__ import annotations

import importlib.util

ENGINES = {"test_ray*.py": "ray", "test_spark*.py": "pyspark"}
collect_ignore_glob = [
    pattern for pattern, module in ENGINES.items() if not importlib.util.find_spec(module)
]
