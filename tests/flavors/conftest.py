"""Tests in an environment of their own: ``make test-flavors``. Elsewhere they are not collected."""

from __future__ import annotations

from support.clients import ROOT

if not (ROOT / ".setup" / "clients" / "flavors" / "bin" / "python").exists():
    collect_ignore = ["test_flavors.py"]
