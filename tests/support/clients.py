"""Client programs in environments of their own, which tools/client_environments.py makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def client_python(name: str) -> Path:
    """The interpreter of a client's environment: skips where it was not made, fails there with CI set."""
    python = ROOT / ".setup" / "clients" / name / "bin" / "python"
    if python.exists():
        return python
    reason = f"no environment of {name}: run python3 tools/client_environments.py {name}"
    if os.environ.get("CI"):
        pytest.fail(f"{reason} (CI is set)", pytrace=False)
    pytest.skip(reason)
