"""Words for true and false."""

from __future__ import annotations

from typing import Optional

_WORDS = {
    **dict.fromkeys(("t", "true", "y", "yes", "on", "1", "1.0"), True),
    **dict.fromkeys(("f", "false", "n", "no", "off", "0", "0.0"), False),
}


def boolean(text: str, *, none_is_false: bool = False) -> Optional[bool]:
    """The truth value that a word stands for, case and outer space ignored; None for other words.

    ``none_is_false``: ``none`` is false, as DRUM reads its variables and labels.
    """
    word = text.strip().lower()
    if none_is_false and word == "none":
        return False
    return _WORDS.get(word)
