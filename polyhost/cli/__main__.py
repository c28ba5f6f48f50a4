"""``python -m polyhost.cli`` is ``polyhost``."""

from __future__ import annotations

import sys

from polyhost.cli import main

sys.exit(main())
