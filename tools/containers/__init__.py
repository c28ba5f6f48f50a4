"""What ``tools/images.py`` does: contexts of drop-in environments, their base, images, facts of them."""

from __future__ import annotations
