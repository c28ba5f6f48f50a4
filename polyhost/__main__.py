"""``python -m polyhost`` is ``polyhost``."""

from __future__ import annotations

import sys

from polyhost.cli import main

if __name__ == "__main__":
    sys.exit(main())
